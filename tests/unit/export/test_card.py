"""The model card says what a person must know, in Markdown that renders."""

from __future__ import annotations

import math
import re

import pytest

from ferryman_bundle.claims import Loss
from ferryman_bundle.manifest import (
    FileEntry,
    Generation,
    GraphEntry,
    LanguagePair,
    Limits,
    Manifest,
    Parity,
    Quality,
    SearchSettings,
    Shortlist,
    Storage,
    Tokens,
    Variant,
    WeightEntry,
)
from ferryman_export.card import render_card
from ferryman_training.model_config import RecurrentConfig, TransformerConfig

FILES = (
    "encoder.onnx",
    "step.onnx",
    "weights.safetensors",
    "tokenizer.model",
    "README.md",
    "LICENSE",
)
PARITY = Parity(
    sentences=200,
    steps=5737,
    worst_difference={
        "memory.0.key": 1e-6,
        "memory.1.key": 2e-6,
        "present.0.key": 3e-6,
    },
    argmax_agreement=0.9996,
    greedy_identity=0.995,
    accepted_loss=False,
)
QUALITY = Quality(
    test_set="test.tsv",
    sentences=2000,
    bleu=32.61,
    bleu_signature="nrefs:1|case:mixed",
    chrf=57.72,
    chrf_signature="nrefs:1|eff:yes",
    search=SearchSettings(beam_size=4, length_penalty=1.2),
)


@pytest.fixture
def manifest():
    return Manifest(
        format="ferryman-bundle",
        format_version=2,
        name="en-fr",
        version="1.2.0",
        description="Translates technical English into French.",
        licence="GPL-3.0-or-later",
        family="transformer",
        parameters=8_943_616,
        language_pairs=(LanguagePair(source="en", target="fr"),),
        tokens=Tokens(
            pad=0, unknown=1, bos=2, eos=3, vocabulary_size=8192, never_generated=(0, 1, 2)
        ),
        limits=Limits(max_source_tokens=128, max_target_tokens=272),
        generation=Generation(
            beam_size=4, length_penalty=1.0, max_length_ratio=2.0, max_length_offset=16
        ),
        variants={
            "fp32": Variant(
                provider="cpu",
                graphs={
                    name: GraphEntry(file=f"{name}.onnx", initializers={})
                    for name in ("encoder", "step")
                },
                state=(),
                parity=PARITY,
                quality=QUALITY,
            )
        },
        weights={"w": WeightEntry(storage=Storage.INT8, axis=0, shape=(2, 2))},
        files={name: FileEntry(size=1_600_000, sha256="0" * 64) for name in FILES},
        golden={},
        environment={"torch": "2.13"},
    )  # fmt: skip


def having(manifest, **claims):
    variant = manifest.variants["fp32"].model_copy(update=claims)
    return manifest.model_copy(update={"variants": {"fp32": variant}})


def card(manifest, data=None):
    return render_card(manifest, TransformerConfig(), data=data)


def test_the_card_has_the_facts_and_figures(manifest):
    text = card(manifest, data="Documentation of **free software**.")
    for fact in (
        "# en-fr 1.2.0",
        "Translates technical English into French.",
        "en → fr",
        "8,943,616",
        "6 encoder, 2 decoder",
        "8,192 SentencePiece pieces",
        "9.6 MB",
        "**BLEU 32.6**",
        "**chrF 57.7**",
        "2,000 sentences), beam 4, length penalty 1.2",
        "200 sentences, 5,737 decoder steps",
        "| largest difference, memory | 2.0e-06 |",
        "| same likeliest token, given the reference | 99.96% |",
        "| fp32 | CPU | 2, 3,200 kB | 32.6 | 57.7 | – | – | 0 |",
        "Documentation of **free software**.",
        "GPL-3.0-or-later",
        "up to 128 tokens",
    ):
        assert fact in text
    assert "fell short" not in text


def test_every_row_of_a_table_has_the_cells_of_its_header(manifest):
    tables = re.findall(r"(?:^\|.*\n?)+", card(with_int8(manifest)), re.MULTILINE)
    assert len(tables) == 3
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1


def with_int8(manifest, *, accepted=False):
    first = manifest.variants["fp32"]
    loss = Loss(baseline="fp32", bleu=0.21, low=-0.1, high=0.55, p_value=0.2)
    second = first.model_copy(
        update={
            "quality": QUALITY.model_copy(update={"bleu": 32.4, "loss": loss}),
            "parity": PARITY.model_copy(
                update={
                    "worst_difference": {"memory.0.key": 0.5, "present.0.key": math.nan},
                    "accepted_loss": accepted,
                }
            ),
        }
    )
    return manifest.model_copy(update={"variants": {"fp32": first, "int8": second}})


def test_variants_stand_side_by_side(manifest):
    text = card(with_int8(manifest))
    assert "| int8 | CPU | 2, 3,200 kB | 32.4 | 57.7 | 0.21 (-0.10 to 0.55) | – | 0 |" in text
    assert "|  | fp32 | int8 |" in text
    assert "| largest difference, memory | 2.0e-06 | 5.0e-01 |" in text
    assert "95 % interval by paired bootstrap" in text


def test_what_is_no_number_is_not_lost_among_numbers(manifest):
    assert "| largest difference, present | 3.0e-06 | nan |" in card(with_int8(manifest))


def test_what_was_not_measured_is_said_to_be_so(manifest):
    text = card(having(manifest, quality=None))
    assert "Not measured at export." in text
    assert "Nothing was said about the training data" in text


def test_greedy_search_has_no_length_penalty(manifest):
    quality = QUALITY.model_copy(update={"search": SearchSettings(beam_size=1, length_penalty=1.0)})
    text = card(having(manifest, quality=quality))
    assert "2,000 sentences), greedy search, through" in text


def test_an_accepted_loss_is_in_the_card_for_ever(manifest):
    assert "fell short" not in card(with_int8(manifest))
    assert "**The variant int8 fell short" in card(with_int8(manifest, accepted=True))


def test_either_family_is_described(manifest):
    config = RecurrentConfig(cell="gru", attention="luong", score="dot", input_feeding=True)
    text = render_card(manifest, config, data=None)
    assert "recurrent, GRU, with Luong's attention (dot), input feeding" in text
    assert "the encoder is bidirectional" in text
    other = TransformerConfig(norm="post", activation="swiglu", positions="rotary")
    assert "Transformer, post-norm, SwiGLU, rotary positions" in render_card(
        manifest, other, data=None
    )


def test_a_shortlist_is_told_with_what_it_costs(manifest):
    assert "## Shortlist" not in card(manifest)
    loss = Loss(baseline="all tokens", bleu=0.13, low=-0.05, high=0.31, p_value=0.2)
    shortlist = Shortlist(file="LICENSE", max_candidates=1_234, bleu_cost=0.13, loss=loss)
    text = card(manifest.model_copy(update={"shortlist": shortlist}))
    assert "up to 1,234 of 8,192" in text
    assert "costs **0.13 BLEU** (95 % interval -0.05 to 0.31)" in text
    unmeasured = shortlist.model_copy(update={"bleu_cost": None, "loss": None})
    assert "was not measured" in card(manifest.model_copy(update={"shortlist": unmeasured}))
