"""The worst sentences, found by looking at all of them."""

from __future__ import annotations

import pytest
import sacrebleu

from ferryman_quality import worst_sentences


def test_the_worst_are_those_of_the_lowest_sentence_chrf(test_set):
    sources = [f"source {i}" for i in range(100)]
    found = worst_sentences(sources, test_set.bad, test_set.references, count=10)
    scores = [
        sacrebleu.sentence_chrf(translation, [reference]).score
        for translation, reference in zip(test_set.bad, test_set.references, strict=True)
    ]
    assert [s.chrf for s in found] == sorted(scores)[:10]
    for sentence in found:
        i = sentence.number - 1
        assert sentence.source == sources[i]
        assert sentence.translation == test_set.bad[i]
        assert sentence.reference == test_set.references[i]
        assert sentence.chrf == scores[i]


def test_equally_bad_sentences_come_in_their_order():
    found = worst_sentences(["a", "b", "c"], ["x", "yes", "x"], ["no", "yes", "no"], count=9)
    assert [sentence.number for sentence in found] == [1, 3, 2]
    assert [sentence.chrf for sentence in found] == [0, 0, 100]


def test_uneven_texts_are_refused():
    with pytest.raises(ValueError, match="translations"):
        worst_sentences(["a"], ["b"], ["c", "d"], count=1)
    with pytest.raises(ValueError, match="longer"):
        worst_sentences(["a"], ["b", "x"], ["c", "d"], count=1)
