"""A manifest is understood exactly or refused in one line that says why."""

from __future__ import annotations

import copy
import json
import math

import pydantic
import pytest

from ferryman_bundle import BundleError, Manifest
from ferryman_bundle.document import parse_manifest, write_manifest
from ferryman_bundle.manifest import Generation, Parity


def test_a_manifest_survives_being_written(manifest):
    again = parse_manifest(write_manifest(manifest))
    assert again == manifest
    assert again.variants["fp32"].state[0].padding == -math.inf


def test_what_is_written_is_strict_json(manifest):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    json.loads(manifest.model_dump_json(), parse_constant=refuse)


def test_a_manifest_cannot_be_changed(manifest):
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        manifest.name = "other"


def test_a_translation_may_grow_with_its_source_and_have_one_token_at_least():
    grows = Generation(beam_size=1, length_penalty=1.0, max_length_ratio=1.5, max_length_offset=4)
    assert [grows.length_limit(n) for n in (0, 1, 3)] == [4, 5, 8]
    assert grows.model_copy(update={"max_length_offset": 0}).length_limit(0) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"format_version": 3},
            r"has format 3, but this ferryman reads formats up to 2; upgrade ferryman",
        ),
        ({"format_version": 10**100}, r"has format 10+, but"),
        ({"format_version": 0}, r"has the unknown format 0"),
        (
            {"format_version": "2"},
            r"has the unknown format '2'; this ferryman reads the formats 1 a",
        ),
        ({"format_version": True}, r"has the unknown format True"),
        ({"format_version": 2.0}, r"has the unknown format 2\.0"),
        ({"format_version": None}, r"has the unknown format None"),
        ({"format_version": "2" * 9999}, r"has the unknown format '2{399}\.\.\.; this"),
        ({"format": "marian"}, r"is not the manifest of a ferryman bundle"),
        ({"surprise": 1}, r"surprise: Extra inputs are not permitted"),
        ({"parameters": 0}, r"parameters: Input should be greater than 0"),
        ({"parameters": "x", "name": 3}, r"name: .* \(and 1 more\)"),
        ({"variants": {}}, r"variants: lacks 'fp32'"),
        ({"weights": {}}, r"weights: lacks 'embedding.weight'"),
        ({"files": {}}, r"files: lacks 'LICENSE'"),
        ({"language_pairs": []}, r"language_pairs: "),
        ({"name": "a\nb"}, r"name: String should match"),
        ({"name": "a" * 301}, r"name: String should have at most 300"),
        ({"golden": {"int8": []}}, r"golden: there is no variant 'int8'"),
        (
            {"shortlist": {"file": "short.bin", "max_candidates": 9, "bleu_cost": None}},
            r"files: lacks 'short\.bin'",
        ),
    ],
)
def test_a_fault_is_named(document, change, message):
    with pytest.raises(BundleError, match=rf"^manifest\.json: {message}") as refusal:
        parse_manifest(json.dumps({**document, **change}).encode())
    assert "\n" not in str(refusal.value)


STEP = ("variants", "fp32", "graphs", "step", "initializers")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("variants", "fp32", "graphs", "step"), None, "graphs"),
        (("variants", "fp32", "state", 0, "kind"), "cash", "kind"),
        (("variants", "fp32", "state", 0, "kind"), "cache", "axis 0 of memory.bias"),
        (("variants", "fp32", "state", 0, "output"), "present", "exactly the memory has no output"),
        (("variants", "fp32", "state", 0, "length_axis"), 4, "has no axis 4"),
        (("variants", "fp32", "state", 1, "dtype"), "float64", "dtype"),
        (("variants", "fp32", "state", 1, "shape"), ["hypotheses", 2**20, 2], "more than 1048576"),
        (("variants", "fp32", "state", 1, "name"), "memory.bias", "two state tensors have one"),
        (("variants", "fp32", "state", 0, "padding"), "NaN", "the padding is not a number"),
        (("variants", "fp32", "provider"), "tpu", "provider"),
        (("variants", "Fp32"), None, "Fp32"),
        ((*STEP, "norm.bias", "tensor"), "other", "weights: lacks 'other'"),
        ((*STEP, "norm.bias", "part"), "values", "'norm.bias' is stored as float32 and has no v"),
        ((*STEP, "norm.bias", "transposed"), True, "only matrices are transposed"),
        (
            (*STEP, "embedding.weight"),
            {"tensor": "embedding.weight", "part": "scales", "transposed": True},
            "only matrices are transposed, which the scales of it are not",
        ),
        (("generation", "length_penalty"), "NaN", "length_penalty: .*finite"),
        (("generation", "max_length_ratio"), "Infinity", "max_length_ratio: .*finite"),
        (("generation", "beam_size"), 10**9, "beam_size"),
        (("limits", "max_source_tokens"), 10**18, "max_source_tokens"),
        (("tokens", "eos"), 288, "tokens: there is no token 288"),
        (("golden", "fp32", 0, "ids"), [288], "golden: there is no token 288"),
        (("golden", "fp32", 0, "log_prob"), "NaN", "log_prob: .*finite"),
        (("variants", "fp32", "state", 1, "shape"), ["hypotheses", 0], "shape"),
        (("weights", "norm.bias", "axis"), 0, "exactly int8 has an axis"),
        (("weights", "embedding.weight", "axis"), None, "exactly int8 has an axis"),
        (("weights", "embedding.weight", "shape"), [96], "only matrices"),
        (("files", "LICENSE", "sha256"), "F" * 64, "sha256"),
        (("files", "LICENSE", "size"), -1, "size"),
        (("files", "manifest.json"), {"size": 1, "sha256": "0" * 64}, "the digest of 'manifest.j"),
        (("files", "manifest.sha256"), {"size": 1, "sha256": "0" * 64}, "cannot hold the digest"),
    ],
)  # fmt: skip
def test_a_fault_deep_inside_is_named(document, path, value, message):
    changed = copy.deepcopy(document)
    *parents, last = path
    place = changed
    for part in parents:
        place = place[part]
    place[last] = value
    with pytest.raises(BundleError, match=message):
        parse_manifest(json.dumps(changed).encode())


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"format": '],
    ids=["empty", "open", "no UTF-8", "deep", "half"],
)
def test_what_is_no_json_is_refused(content):
    with pytest.raises(BundleError, match=r"^manifest\.json: is not valid JSON"):
        parse_manifest(content)


@pytest.mark.parametrize("content", [b"1", b"[]", b"null", b'"ferryman-bundle"'])
def test_json_that_is_no_object_is_no_manifest(content):
    with pytest.raises(BundleError, match="is not the manifest of a ferryman bundle"):
        parse_manifest(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"a": 1, "a": 2}', "'a' is there twice"),
        (rb'{"a": "\ud800"}', "surrogates not allowed"),
        (b'{"a": ' + b"9" * 5000 + b"}", "digits"),
        (b'{"\xc3\xa4\\n": 1, "\xc3\xa4\\n": 2}', "is there twice"),
    ],
)
def test_json_that_another_parser_could_read_differently_is_refused(content, reason):
    with pytest.raises(BundleError, match=rf"^manifest\.json: is not valid JSON \(.*{reason}") as e:
        parse_manifest(content)
    assert "\n" not in str(e.value)


def test_the_fields_of_format_2_stay(document):
    """A bundle of format 2 loads for ever: new fields mean a new format or a default."""
    assert list(Manifest.model_fields) == list(document)


def variants(manifest, **fell_short):
    """The manifest with variants that fell short or not; ``fp16`` is made for CUDA."""
    made = {
        name: manifest.variants["fp32"].model_copy(
            update={
                "provider": "cuda" if name == "fp16" else "any",
                "parity": Parity(
                    sentences=1,
                    steps=1,
                    worst_difference={},
                    argmax_agreement=1.0,
                    greedy_identity=1.0,
                    accepted_loss=accepted,
                ),
            }
        )
        for name, accepted in fell_short.items()
    }
    return manifest.model_copy(update={"variants": made})


@pytest.mark.parametrize(
    ("device", "fell_short", "expected"),
    [
        ("cpu", {"fp32": False, "int8": False, "fp16": False}, "int8"),
        ("cpu", {"fp32": False, "int8": True}, "fp32"),
        ("cpu", {"fp32": True, "int8": True}, "fp32"),
        ("cpu", {"portable": True}, "portable"),
        ("cuda", {"fp32": False, "int8": False, "fp16": False}, "fp16"),
        ("cuda", {"fp32": False, "fp16": True}, "fp32"),
        ("cuda", {"fp32": False, "int8": False}, "fp32"),
    ],
)
def test_a_device_takes_its_best_variant_that_did_not_fall_short(
    manifest, device, fell_short, expected
):
    assert variants(manifest, **fell_short).default_variant(device) == expected


def test_a_device_without_a_variant_is_told_so(manifest):
    with pytest.raises(BundleError, match="has no variant for cuda, only fp32; export"):
        manifest.default_variant("cuda")


def test_a_portable_bundle_has_no_other_variant(document):
    portable = {"portable": document["variants"]["fp32"]}
    parse_manifest(json.dumps({**document, "variants": portable, "golden": {}}).encode())
    both = portable | {"int8": document["variants"]["fp32"]}
    with pytest.raises(BundleError, match="variants: lacks 'fp32'"):
        parse_manifest(json.dumps({**document, "variants": both, "golden": {}}).encode())
