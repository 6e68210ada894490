"""Odd input through the default model: an answer or a clear error, and never an endless one."""

from __future__ import annotations

import pytest
from odd_texts import odd_texts

from ferryman_bundle.tokenizer import RESERVED
from ferryman_server.engine import FinishReason
from ferryman_server.translation import WarningKind

SMALL, DEEP = 60, 500
SPECIAL = {0, 1, 2, 3}


@pytest.mark.parametrize("count", [SMALL, pytest.param(DEEP, marks=pytest.mark.deep)])
def test_odd_texts_have_an_answer_and_an_end(translate, default_model, chance, count):
    sources = odd_texts(chance, count)
    longest = default_model.manifest.limits.max_target_tokens
    for source, translation in zip(sources, translate(sources), strict=True):
        assert translation.error is None
        best = translation.hypotheses[0]
        kinds = {warning.kind for warning in translation.warnings}
        assert set(best.text) & set(RESERVED) <= set(source)
        for sentence in best.sentences:
            assert not SPECIAL & set(sentence.ids)
            assert SPECIAL.isdisjoint(sentence.read.tokens if sentence.read else ())
            if len(sentence.ids) >= longest:
                assert sentence.finish_reason is not FinishReason.EOS
        if best.finish_reason is FinishReason.LOOP_GUARD:
            assert WarningKind.REPETITION in kinds
        if best.finish_reason is FinishReason.MAX_TOKENS:
            assert WarningKind.TARGET_TRUNCATED in kinds
        if not source.strip():
            assert best.text == source


def test_a_repetition_is_tried_again_or_said(translate):
    source = "gc is already running on machine pid (use --force if not)"
    once, twice = (translate([source], text={"second_try": try_})[0] for try_ in (False, True))
    doubted = WarningKind.REPETITION
    if any(warning.kind is doubted for warning in once.warnings):
        assert twice.is_second or any(warning.kind is doubted for warning in twice.warnings)


def test_ten_thousand_words_keep_their_paragraphs(translate):
    paragraph = "Press any key to continue. The network is not available. " * 10
    text = "\n\n  ".join([paragraph.strip()] * 100)
    assert len(text.split()) >= 10_000
    (translation,) = translate([text])
    best = translation.hypotheses[0].text
    lines = best.split("\n\n  ")
    assert len(lines) == 100
    assert len(set(lines)) == 1
    assert len(translation.hypotheses[0].sentences) == 2000
