"""Reserved characters come in on both sides alike, and only where both sides agree."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ferryman_bundle.tokenizer import CLOSING_TAGS, OPENING_TAGS, PLACEHOLDERS, RESERVED
from ferryman_training.augmentation import augment, shared_spans
from ferryman_training.corpus import SentencePair

SPANS = ["/etc/fstab", "3.14", "NFS", "--help", "user@host", "Tux", "x86_64"]
WORDS = ["the", "file", "a", "on", "reads", "le", "fichier", "lit", "sur", "table", "son"]
words = st.lists(st.sampled_from(SPANS + WORDS), min_size=1, max_size=12)
texts = st.builds(
    lambda parts, gaps: "".join(p + g for p, g in zip(parts, gaps, strict=False)).strip(),
    words,
    st.lists(st.sampled_from([" ", ", ", ". ", " (", ") ", ": ", " « "]), min_size=12),
)
pairs = st.builds(SentencePair, texts, texts)
sentences = st.lists(st.sampled_from([*SPANS, *WORDS]), min_size=1, max_size=12)


def reserved(text: str) -> Counter[str]:
    return Counter(character for character in text if character in RESERVED)


def without_tags(text: str) -> str:
    return "".join(c for c in text if c not in OPENING_TAGS + CLOSING_TAGS)


@given(pairs, st.integers(0, 2**32))
def test_both_sides_hold_the_same_reserved_characters_each_once(pair, seed):
    changed = augment(pair, random.Random(seed))
    if changed is None:
        return
    assert reserved(changed.source) == reserved(changed.target)
    assert set(reserved(changed.source).values()) == {1}
    for side in (changed.source, changed.target):
        for opening, closing in zip(OPENING_TAGS, CLOSING_TAGS, strict=True):
            assert (opening in side) == (closing in side)
            assert side.find(opening) <= side.find(closing)


@given(sentences, sentences, st.integers(0, 2**32))
def test_only_spans_that_stand_on_both_sides_once_are_replaced(source, target, seed):
    changed = augment(SentencePair(" ".join(source), " ".join(target)), random.Random(seed))
    if changed is None:
        return
    shared = {w for w in source if source.count(w) == 1 == target.count(w)} - {"a", "on", "son"}
    replaced = []
    for before, after in ((source, changed.source), (target, changed.target)):
        words = without_tags(after).split(" ")
        assert len(words) == len(before)
        changes = {new: old for old, new in zip(before, words, strict=True) if old != new}
        assert set(changes.values()) <= shared
        assert set(changes) <= set(PLACEHOLDERS)
        replaced.append(changes)
    assert replaced[0] == replaced[1]


def test_words_that_are_alike_by_chance_are_no_spans():
    pair = SentencePair("It has a son on NFS, in /etc.", "Il a un fils et on lit son NFS, /etc.")
    assert shared_spans(pair) == ["NFS", "/etc"]


def test_a_span_that_stands_twice_on_a_side_is_left_alone():
    assert shared_spans(SentencePair("NFS or NFS 4", "NFS ou 4")) == ["4"]


def test_a_longer_word_that_contains_a_span_is_another_word():
    changed = {
        augment(SentencePair("/etc then /etc/fstab", "/etc puis fstab"), random.Random(seed))
        for seed in range(40)
    }
    sources = {without_tags(pair.source) for pair in changed if pair}
    assert any(source.endswith(" then /etc/fstab") and source[0] in RESERVED for source in sources)
    assert all(source.endswith(" then /etc/fstab") for source in sources)


def test_a_pair_with_reserved_characters_of_its_own_is_left_alone():
    pair = SentencePair(f"NFS {PLACEHOLDERS[3]}", "NFS")
    assert all(augment(pair, random.Random(seed)) is None for seed in range(20))


def test_all_forms_come_up():
    pair = SentencePair("Mount /dev/sda1 with NFS 4", "Montez /dev/sda1 avec NFS 4")
    found = [augment(pair, random.Random(seed)) for seed in range(200)]
    sources = [changed.source for changed in found]
    assert any(s[0] in OPENING_TAGS and s[-1] in CLOSING_TAGS for s in sources)
    assert any(set(s) & set(PLACEHOLDERS) and set(s) & set(OPENING_TAGS) for s in sources)
    assert {len(reserved(s)) for s in sources} >= {1, 2, 3}
