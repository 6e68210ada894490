"""A bundle of the first release translates as it did then."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferryman_bundle import Bundle
from ferryman_server.runtime import OnnxRuntime, VerificationError

STORED = Path(__file__).parents[3] / "data" / "format-1"


@pytest.fixture(scope="module")
def bundle():
    return Bundle.load(STORED)


def test_its_golden_sentences_come_out_as_golden(bundle):
    golden = bundle.manifest.golden["fp32"]
    assert len(golden) == 12
    assert any(len(set(sentence.ids)) > 10 for sentence in golden)
    OnnxRuntime(bundle).verify(bundle)


def test_another_golden_sentence_would_be_noticed(bundle):
    first, *others = bundle.manifest.golden["fp32"]
    golden = {"fp32": (first.model_copy(update={"ids": others[0].ids}), *others)}
    changed = Bundle(
        bundle.manifest.model_copy(update={"golden": golden}), bundle.tokenizer, bundle.contents
    )
    with pytest.raises(VerificationError, match="translates its golden sentence"):
        OnnxRuntime(bundle).verify(changed)
