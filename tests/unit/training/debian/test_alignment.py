"""Blocks and sentences meet their translations, or nobody."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ferryman_training.corpus import SentencePair
from ferryman_training.debian.alignment import _GAP, _cheapest_path, align, pairs_of, split
from ferryman_training.debian.block import Block


def paragraphs(*texts: str, tag: str = "p") -> list[Block]:
    return [Block(tag, text) for text in texts]


def test_named_blocks_are_joined_by_name_whatever_their_order():
    source = [
        Block("p", "one", "a"),
        Block("p", "two", "b"),
        Block("p", "lost", "x"),
        Block("p", ""),
    ]
    target = [Block("p", "deux", "b"), Block("h1", "titre", "x"), Block("p", "un", "a")]
    found = [(s.text, t.text) for s, t in align(source, target)]
    assert found == [("one", "un"), ("two", "deux")]


def test_documents_of_the_same_structure_are_taken_as_they_are():
    source = [Block("h1", "A"), Block("p", "something long")]
    target = [Block("h1", "B B B B B B B"), Block("p", "x")]
    assert align(source, target) == list(zip(source, target, strict=True))


def test_a_paragraph_too_many_shifts_nothing(seed):
    chance = random.Random(seed)
    texts = [" ".join(["word"] * chance.randint(3, 60)) + f" {i}." for i in range(60)]
    source = paragraphs(*texts)
    target = paragraphs(*(f"{text[:-1]} mot." for text in texts))
    del target[40]
    target.insert(10, Block("p", "Note du traducteur : " + "rien " * 30))
    source.insert(25, Block("h2", "A heading"))
    found = {(s.text, t.text) for s, t in align(source, target)}
    right = {(text, f"{text[:-1]} mot.") for text in texts}
    assert found <= right
    assert len(found) > 50


def test_blocks_of_different_kinds_are_never_joined():
    source = [Block("p", "a text"), Block("li", "a text")]
    assert align(source, [Block("h1", "un texte"), Block("li", "un texte"), Block("li", "u")]) == [
        (source[1], Block("li", "un texte"))
    ]
    assert align(source, []) == align([], source) == []


def dearest(costs: np.ndarray, path: list[tuple[int, int]]) -> float:
    return sum(costs[i, j] for i, j in path) + _GAP * (sum(costs.shape) - 2 * len(path))


def all_paths(rows: int, columns: int):
    for size in range(min(rows, columns) + 1):
        for i in itertools.combinations(range(rows), size):
            for j in itertools.combinations(range(columns), size):
                yield list(zip(i, j, strict=True))


@given(
    st.integers(1, 4).flatmap(
        lambda columns: st.lists(
            st.lists(st.sampled_from([0.0, 0.7, 2.0, 4.9, 6.0, math.inf]), min_size=columns,
                     max_size=columns),
            min_size=1, max_size=4,
        )
    )
)  # fmt: skip
def test_no_alignment_is_cheaper_than_the_one_found(rows):
    costs = np.array(rows)
    found = dearest(costs, _cheapest_path(costs))
    assert found == min(dearest(costs, path) for path in all_paths(*costs.shape))


def test_sentences_are_divided_where_both_sides_have_as_many():
    pair = SentencePair(
        "Open the file. Then close it again.", "Ouvrez le fichier. Refermez-le ensuite."
    )
    assert split(pair, "fr") == [
        SentencePair("Open the file.", "Ouvrez le fichier."),
        SentencePair("Then close it again.", "Refermez-le ensuite."),
    ]


def test_a_pair_stays_whole_where_sentences_do_not_fit():
    for source, target in (
        ("One. Two. Three.", "Un et deux. Trois."),
        ("Line 1 is here. Line 2 is there.", "La ligne 2 est ici. La ligne 1 est là."),
        ("Yes. This one goes on and on for quite a while, really.", "Oui, en effet, et comment "
         "donc, c'est tout à fait cela. Non."),
        ("No end", "Sans fin"),
    ):  # fmt: skip
        assert split(SentencePair(source, target), "fr") == [SentencePair(source, target)]


def test_a_document_gives_its_sentences():
    source = paragraphs("Hello there. Go on.", "The end")
    target = paragraphs("Bonjour à vous. Continuez.", "La fin")
    assert list(pairs_of(source, target, "fr")) == [
        SentencePair("Hello there.", "Bonjour à vous."),
        SentencePair("Go on.", "Continuez."),
        SentencePair("The end", "La fin"),
    ]
