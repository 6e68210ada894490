"""A manifest is understood exactly or refused in one line that says why."""

from __future__ import annotations

import copy
import json
import math

import pydantic
import pytest

from ferryman_bundle import BundleError, Manifest
from ferryman_bundle.manifest import Generation, parse_manifest


def test_a_manifest_survives_being_written(manifest):
    again = parse_manifest(manifest.model_dump_json(indent=2).encode())
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
        ({"format_version": 2}, r"has format 2, but this ferryman reads format 1; upgrade"),
        ({"format_version": 0}, r"has the unknown format 0"),
        ({"format_version": "1"}, r"has the unknown format '1'"),
        ({"format_version": True}, r"has the unknown format True"),
        ({"format": "marian"}, r"is not the manifest of a ferryman bundle"),
        ({"surprise": 1}, r"surprise: Extra inputs are not permitted"),
        ({"parameters": 0}, r"parameters: Input should be greater than 0"),
        ({"parameters": "x", "name": 3}, r"name: .* \(and 1 more\)"),
        ({"variants": {}}, r"variants: lacks 'fp32'"),
        ({"weights": {}}, r"weights: lacks 'embedding.weight'"),
        ({"files": {}}, r"files: lacks 'LICENSE'"),
    ],
)
def test_a_fault_is_named(document, change, message):
    with pytest.raises(BundleError, match=rf"^manifest\.json: {message}") as refusal:
        parse_manifest(json.dumps({**document, **change}).encode())
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("variants", "fp32", "graphs", "step"), None, "graphs"),
        (("variants", "fp32", "state", 0, "kind"), "cash", "kind"),
        (("variants", "fp32", "state", 0, "kind"), "cache", "axis 0 of memory.bias"),
        (("variants", "fp32", "state", 0, "output"), "present", "exactly the memory has no output"),
        (("variants", "fp32", "state", 0, "length_axis"), 4, "has no axis 4"),
        (("variants", "fp32", "state", 1, "dtype"), "float64", "dtype"),
        (("variants", "fp32", "state", 1, "shape"), ["hypotheses", 0], "shape"),
        (("weights", "norm.bias", "axis"), 0, "exactly int8 has an axis"),
        (("weights", "embedding.weight", "axis"), None, "exactly int8 has an axis"),
        (("weights", "embedding.weight", "shape"), [96], "only matrices"),
        (("files", "LICENSE", "sha256"), "F" * 64, "sha256"),
        (("files", "LICENSE", "size"), -1, "size"),
        (("files", "manifest.json"), {"size": 1, "sha256": "0" * 64}, "cannot hold its own digest"),
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


def test_the_fields_of_format_1_stay(document):
    """A bundle of format 1 loads for ever: new fields mean a new format or a default."""
    assert list(Manifest.model_fields) == list(document)
