"""Golden sentences are of all lengths, and none is a close call."""

from __future__ import annotations

from ferryman_export.golden import choose_golden_sentences
from ferryman_export.greedy import GreedyTranslation
from ferryman_training.batching import TokenPair
from ferryman_training.corpus import SentencePair
from ferryman_training.decoding import Decoded


def choose(cases, *, count=12, max_source_tokens=128):
    """Choose from (source length, margin, whether the graphs agree)."""
    pairs = [SentencePair(f"sentence {i}", "satz") for i in range(len(cases))]
    tokens = [TokenPair(tuple(range(4, 4 + length)), ()) for length, _, _ in cases]
    greedy = [
        (
            Decoded((9, i), -1.0 * i, finished=True),
            GreedyTranslation((9, i if agree else -1), -1.0, margin),
        )
        for i, (_, margin, agree) in enumerate(cases)
    ]
    return choose_golden_sentences(
        pairs, tokens, greedy, count=count, max_source_tokens=max_source_tokens
    )


def test_lengths_are_spread_from_the_shortest_to_the_longest():
    golden = choose([(length, 1.0, True) for length in range(100, 0, -1)], count=12)
    lengths = [len(sentence.source_ids) for sentence in golden]
    assert lengths == sorted(set(lengths))
    assert (lengths[0], lengths[-1], len(lengths)) == (1, 100, 12)


def test_close_calls_and_disagreements_are_left_out():
    golden = choose([(5, 1.0, True), (6, 1e-5, True), (7, 1.0, False), (8, 1.0, True)])
    assert [sentence.text for sentence in golden] == ["sentence 0", "sentence 3"]


def test_what_the_bundle_would_refuse_is_left_out():
    golden = choose([(0, 1.0, True), (128, 1.0, True), (129, 1.0, True)])
    assert [len(sentence.source_ids) for sentence in golden] == [128]


def test_each_has_the_translation_and_score_of_the_model():
    (golden,) = choose([(5, 1.0, False), (4, 1.0, True)])
    assert golden.source_ids == (4, 5, 6, 7)
    assert (golden.ids, golden.log_prob) == ((9, 1), -1.0)


def test_few_sentences_are_all_taken_once():
    assert len(choose([(3, 1.0, True), (4, 1.0, True)], count=12)) == 2
    assert choose([]) == ()
