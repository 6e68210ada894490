"""A bundle of the first release loads for ever, and means what it meant."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path

import pytest

from ferryman_bundle import Bundle, BundleError
from ferryman_bundle.document import parse_manifest, write_manifest
from ferryman_bundle.format_1 import Manifest1
from ferryman_bundle.manifest import Initializer

STORED = Path(__file__).parents[2] / "data" / "format-1"
"""What the exporter of the first release wrote. Never made again, never changed."""
TENSORS = "1244abf39182a020cd5822b49838ad733d807ca0d86a1b81a0af76f9af5e9f6e"
"""SHA-256 of the float32 tensors that the first release read from it, by name."""


@pytest.fixture(scope="module")
def stored():
    return Bundle.load(STORED)


@pytest.fixture
def document():
    return json.loads((STORED / "manifest.json").read_text("utf-8"))


def test_a_stored_bundle_loads_with_the_same_bits(stored):
    digest = hashlib.sha256()
    for name, tensor in sorted(stored.tensors().items()):
        digest.update(name.encode())
        digest.update(tensor.tobytes())
    assert digest.hexdigest() == TENSORS
    assert stored.card.startswith("# format-1 0.1.0")
    assert stored.tokenizer.decode(stored.tokenizer.encode("A width of 0")) == "A width of 0"


def test_nothing_that_it_says_is_lost(stored, document):
    manifest = stored.manifest
    assert manifest.format_version == 2
    assert list(manifest.variants) == ["fp32"]
    fp32, before = manifest.variants["fp32"], document["variants"]["fp32"]
    assert fp32.provider == "cpu"
    assert fp32.parity.steps == document["parity"]["fp32"]["steps"]
    assert fp32.quality.bleu == manifest.quality.bleu == document["quality"]["bleu"]
    for name, graph in before["graphs"].items():
        assert fp32.graphs[name].file == graph["file"]
        assert fp32.graphs[name].initializers == {
            weight: Initializer(tensor=weight) for weight in graph["weights"]
        }
        assert stored.initializers(name) == tuple(graph["weights"])
    assert [tensor.name for tensor in fp32.state] == [tensor["name"] for tensor in before["state"]]
    assert [list(g.ids) for g in manifest.golden["fp32"]] == [g["ids"] for g in document["golden"]]
    told_apart = {"format_version", "variants", "golden", "parity", "quality"}
    for field in document.keys() - told_apart:
        assert json.loads(manifest.model_dump_json())[field] == document[field]


def test_it_is_written_in_the_format_of_today(stored):
    assert parse_manifest(write_manifest(stored.manifest)) == stored.manifest


def test_its_digest_is_that_of_the_file_and_not_of_what_became_of_it(stored):
    document = (STORED / "manifest.json").read_bytes()
    assert stored.digest == hashlib.sha256(document).hexdigest()


def test_the_fields_of_format_1_stay(document):
    assert list(Manifest1.model_fields) == list(document)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("variants",), {}, "variants: lacks 'fp32'"),
        (("weights",), {}, "weights: lacks '"),
        (("files",), {}, "files: lacks 'LICENSE'"),
        (("variants", "fp32", "graphs", "step"), None, "graphs.step"),
        (("variants", "fp32", "graphs"), {}, "lacks the graph 'encoder'"),
        (("variants", "fp32", "provider"), "cpu", "provider: Extra inputs"),
        (("shortlist",), None, "shortlist: Extra inputs"),
    ],
)
def test_a_fault_is_named(document, path, value, message):
    changed = copy.deepcopy(document)
    *parents, last = path
    place = changed
    for part in parents:
        place = place[part]
    place[last] = value
    with pytest.raises(BundleError, match=rf"^manifest\.json: .*{message}") as refusal:
        parse_manifest(json.dumps(changed).encode())
    assert "\n" not in str(refusal.value)
