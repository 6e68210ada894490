"""A bundle loads as it was written, and not at all once anything about it was changed."""

from __future__ import annotations

import hashlib
import json
import os
import random

import numpy as np
import pytest

from ferryman_bundle import Bundle, BundleError
from ferryman_bundle import bundle as bundle_module
from ferryman_bundle.manifest import Initializer, Part
from ferryman_bundle.tokenizer import Tokenizer

FILES = (
    "manifest.json",
    "encoder.onnx",
    "step.onnx",
    "weights.safetensors",
    "tokenizer.model",
    "README.md",
    "LICENSE",
)


def test_a_bundle_gives_back_what_was_written(pristine, manifest, contents, tensors):
    bundle = Bundle.load(pristine)
    assert bundle.manifest == manifest
    assert bundle.graph("encoder") == contents["encoder.onnx"]
    assert bundle.graph("step") == contents["step.onnx"]
    assert bundle.initializers("encoder") == ("embedding.weight",)
    assert bundle.card == "# A card\n"
    assert bundle.licence == "Do as you like.\n"
    assert bundle.tokenizer.vocabulary_size == 288
    loaded = bundle.tensors()
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert loaded[name].dtype == np.float32
        np.testing.assert_array_equal(loaded[name], tensor)
    with pytest.raises(KeyError):
        bundle.graph("scorer")


def test_graphs_and_variants_share_the_arrays_of_their_initializers(manifest, contents):
    fp32 = manifest.variants["fp32"]
    entry = Initializer(tensor="embedding.weight", part=Part.VALUES, transposed=True)
    step = fp32.graphs["step"]
    turned = step.model_copy(
        update={"initializers": {"turned": entry, "norm": Initializer(tensor="norm.bias")}}
    )
    int8 = fp32.model_copy(update={"graphs": {**fp32.graphs, "step": turned}})
    manifest = manifest.model_copy(update={"variants": {"fp32": fp32, "int8": int8}})
    bundle = Bundle(manifest, Tokenizer(contents["tokenizer.model"]), contents)
    first, second = bundle.initializer_values("step"), bundle.initializer_values("step", "int8")
    assert bundle.initializers("step", "int8") == tuple(second) == ("turned", "norm")
    assert second["turned"].dtype == np.int8
    assert second["turned"].shape == first["embedding.weight"].shape[::-1]
    assert second["norm"] is first["norm.bias"]
    encoder = bundle.initializer_values("encoder", "int8")
    assert encoder["embedding.weight"] is first["embedding.weight"]
    assert bundle.tensors()["embedding.weight"] is first["embedding.weight"]


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(path):
    path.write_bytes(path.read_bytes() + b"\n")


def empty(path):
    path.write_bytes(b"")


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    position = random.Random(path.name).randrange(len(content))
    content[position] ^= 1 << random.Random(path.name).randrange(8)
    path.write_bytes(content)


def swap(path):
    other = path.with_name("encoder.onnx" if path.name != "encoder.onnx" else "step.onnx")
    mine, theirs = path.read_bytes(), other.read_bytes()
    path.write_bytes(theirs)
    other.write_bytes(mine)


def remove(path):
    path.unlink()


def link_hard(path):
    os.link(path, path.parent.parent / "second-name")


def link_symbolically(path):
    elsewhere = path.parent.parent / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def make_a_directory(path):
    path.unlink()
    path.mkdir()


def make_a_pipe(path):
    path.unlink()
    os.mkfifo(path)


HARM = (
    truncate,
    lengthen,
    empty,
    flip_a_bit,
    swap,
    remove,
    link_hard,
    link_symbolically,
    make_a_directory,
    make_a_pipe,
)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("harm", HARM, ids=lambda harm: harm.__name__)
def test_harm_to_any_file_is_refused_in_one_line_that_names_it(directory, name, harm, monkeypatch):
    # A trailing line feed is as good a manifest as one without it.
    if name == "manifest.json" and harm in (lengthen, truncate):
        harm = empty
    monkeypatch.setattr(bundle_module, "Tokenizer", _must_not_parse)
    harm(directory / name)
    with pytest.raises(BundleError) as refusal:
        Bundle.load(directory)
    message = str(refusal.value)
    assert "\n" not in message
    named = {name, "encoder.onnx", "step.onnx"} if harm is swap else {name}
    assert any(f"{directory}: {n}: " in message for n in named)


def _must_not_parse(content):
    raise AssertionError("a parser saw bytes of a bundle that is not whole")


def test_the_digest_of_a_bundle_is_that_of_its_manifest(pristine):
    document = (pristine / "manifest.json").read_bytes()
    assert Bundle.load(pristine).digest == hashlib.sha256(document).hexdigest()


def test_every_single_bit_of_the_weights_counts(directory):
    path = directory / "weights.safetensors"
    content = path.read_bytes()
    for position in range(0, len(content), 7):
        harmed = bytearray(content)
        harmed[position] ^= 1 << (position % 8)
        path.write_bytes(harmed)
        with pytest.raises(BundleError, match=r"weights\.safetensors: .*SHA-256"):
            Bundle.load(directory)
    path.write_bytes(content)
    Bundle.load(directory)


def test_an_extra_file_is_refused(directory):
    (directory / ".hidden").write_bytes(b"")
    with pytest.raises(BundleError, match=r"'\.hidden': is not in the manifest; remove it"):
        Bundle.load(directory)


def test_an_extra_directory_is_refused(directory):
    (directory / "more").mkdir()
    with pytest.raises(BundleError, match="'more': is not in the manifest"):
        Bundle.load(directory)


@pytest.mark.parametrize(
    "name",
    ["../outside", "/etc/passwd", "sub/step.onnx", "..", ".", "", "step.onnx\0", "a\nb", "ß.onnx"],
)
def test_a_name_that_leads_elsewhere_is_refused(directory, document, name):
    """Even a manifest that was made for it cannot make us open a file outside the bundle."""
    outside = directory.parent / "outside"
    outside.write_bytes(b"secret")
    entry = document["files"]["LICENSE"]
    _write(directory, {**document, "files": {**document["files"], name: entry}})
    with pytest.raises(BundleError, match=r"manifest\.json: files\.") as refusal:
        Bundle.load(directory)
    assert "\n" not in str(refusal.value)


def test_a_manifest_cannot_make_us_read_without_limit(directory, document):
    files = {**document["files"], "huge.bin": {"size": 1 << 40, "sha256": "0" * 64}}
    _write(directory, {**document, "files": files})
    with pytest.raises(BundleError, match=r"manifest\.json: lists \d+ bytes of files; at most"):
        Bundle.load(directory)


def test_a_huge_manifest_is_not_read(directory):
    with (directory / "manifest.json").open("ab") as file:
        file.truncate(5 << 20)
    with pytest.raises(BundleError, match=r"manifest\.json: is \d+ bytes long; at most"):
        Bundle.load(directory)


def test_a_tokenizer_of_another_size_is_refused(directory, document):
    tokens = {**document["tokens"], "vocabulary_size": 289}
    _write(directory, {**document, "tokens": tokens})
    with pytest.raises(BundleError, match=r"tokenizer\.model: has 288 pieces, .* 289"):
        Bundle.load(directory)


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(BundleError, match=r"nowhere: is no bundle directory \(No such file"):
        Bundle.load(tmp_path / "nowhere")


def test_a_file_in_place_of_a_directory_is_named(directory):
    with pytest.raises(BundleError, match=r"LICENSE: is no bundle directory"):
        Bundle.load(directory / "LICENSE")


def test_a_directory_may_be_reached_through_a_link(pristine, tmp_path):
    """A model folder is often a link to the current release; only the files must be plain."""
    (tmp_path / "current").symlink_to(pristine)
    Bundle.load(tmp_path / "current")


def _write(directory, document):
    (directory / "manifest.json").write_text(json.dumps(document), "utf-8")
