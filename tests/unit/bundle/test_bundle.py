"""A bundle loads as it was written, and not at all once anything about it was changed."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from ferryman_bundle import Bundle, BundleError
from ferryman_bundle.document import seal_of
from ferryman_bundle.files import SizeLimits
from ferryman_bundle.manifest import Initializer, Part
from ferryman_bundle.tokenizer import Tokenizer


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
        bundle.graph("none_such")


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


def test_the_digest_of_a_bundle_is_that_of_its_manifest(pristine):
    document = (pristine / "manifest.json").read_bytes()
    assert Bundle.load(pristine).digest == hashlib.sha256(document).hexdigest()


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


def test_limits_hold_for_every_kind_of_file(pristine, contents):
    total = sum(map(len, contents.values()))
    graph = len(contents["encoder.onnx"])
    for limits, message in (
        (SizeLimits(graph=graph - 1), r"encoder\.onnx: is \d+ bytes long; at most"),
        (SizeLimits(text=100), r"tokenizer\.model: is \d+ bytes long; at most 100 are"),
        (SizeLimits(bundle=total - 1), rf"manifest\.json: lists {total} bytes of files; at most"),
        (SizeLimits(manifest=100), r"manifest\.json: is \d+ bytes long; at most 100 are"),
    ):
        with pytest.raises(BundleError, match=message):
            Bundle.load(pristine, limits)
    Bundle.load(pristine, SizeLimits(graph=graph, bundle=total))


def test_a_huge_manifest_is_not_read(directory):
    with (directory / "manifest.json").open("r+b") as file:
        file.truncate(1 << 40)  # sparse: it takes no room on the disk
    with pytest.raises(BundleError, match=r"manifest\.json: is \d+ bytes long; at most"):
        Bundle.load(directory)


def test_a_tokenizer_of_another_size_is_refused(directory, document):
    tokens = {**document["tokens"], "vocabulary_size": 289}
    _write(directory, {**document, "tokens": tokens})
    with pytest.raises(BundleError, match=r"tokenizer\.model: has 288 pieces, .* 289"):
        Bundle.load(directory)


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(BundleError, match=r"nowhere: there is no bundle \(No such file"):
        Bundle.load(tmp_path / "nowhere")


def test_a_file_in_place_of_a_directory_is_named(directory):
    with pytest.raises(BundleError, match="LICENSE: is neither the directory of a bundle nor a pa"):
        Bundle.load(directory / "LICENSE")


def test_a_directory_may_be_reached_through_a_link(pristine, tmp_path):
    """A model folder is often a link to the current release; only the files must be plain."""
    (tmp_path / "current").symlink_to(pristine)
    Bundle.load(tmp_path / "current")


def _write(directory, document):
    """Replace the manifest and seal it: everything that it says is meant."""
    content = json.dumps(document).encode()
    (directory / "manifest.json").write_bytes(content)
    (directory / "manifest.sha256").write_bytes(seal_of(content))
