"""Quality figures are those of the translations that the engine really gives."""

from __future__ import annotations

import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from ferryman_bundle.manifest import SearchSettings
from ferryman_export.quality import quality_of, translate
from ferryman_export.speed import processor
from ferryman_training.decoding import decode_greedily


def test_greedy_figures_are_those_of_the_reference(bundle, model, pairs, tokens):
    chosen = [i for i, pair in enumerate(tokens) if len(pair.source) < 40][:12]
    decoded = decode_greedily(model, [tokens[i].source for i in chosen])
    translations = [bundle.tokenizer.decode(d.ids) for d in decoded]
    # Half right, so that the score is neither 0 nor 100. What random weights say has hardly any
    # spaces, so chrF is the score that tells.
    references = [
        t + " and more" if i % 2 else pairs[i].target
        for i, t in zip(chosen, translations, strict=True)
    ]
    search = SearchSettings(beam_size=1, length_penalty=1.0)
    found = translate(bundle, [pairs[i].source for i in chosen], search=search)
    quality = quality_of(found, references, search=search, test_set="made up")
    bleu, chrf = BLEU(), CHRF()
    expected = chrf.corpus_score(translations, [references]).score
    assert 10 < expected < 90
    assert quality.chrf == pytest.approx(expected, abs=0.005)
    assert quality.bleu == pytest.approx(
        bleu.corpus_score(translations, [references]).score, abs=0.005
    )
    assert quality.bleu_signature == str(bleu.get_signature())
    assert (quality.sentences, quality.test_set, quality.search) == (12, "made up", search)


def test_a_source_too_long_for_the_model_is_cut_not_refused(bundle):
    search = SearchSettings(beam_size=2, length_penalty=1.0)
    assert len(translate(bundle, ["word " * 400], search=search)) == 1


def test_the_manifest_says_how_fast_each_variant_was_and_on_what(bundle):
    for name, variant in bundle.manifest.variants.items():
        speed = variant.speed
        assert speed is not None
        assert speed.tokens_per_second_alone > 0
        assert speed.tokens_per_second_together > speed.tokens_per_second_alone
        assert (speed.sentences, speed.together) == (24, 32)
        assert speed.device == processor()
        row = next(line for line in bundle.card.splitlines() if line.startswith(f"| {name} |"))
        told = f"{speed.tokens_per_second_alone:,.0f} / {speed.tokens_per_second_together:,.0f}"
        assert f"| {told} |" in row
    assert f"one thread of {processor()}." in bundle.card
