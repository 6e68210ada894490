"""Harm to any file of a bundle, of any kind, is refused before anything parses a byte of it."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import tarfile
from pathlib import Path

import pytest

from ferryman_bundle import Bundle, BundleError
from ferryman_bundle import bundle as bundle_module
from ferryman_bundle import sealed as sealed_module
from ferryman_bundle import weights as weights_module
from ferryman_bundle.document import parse_document, seal_of
from ferryman_bundle.sealed import SealedBundle
from ferryman_bundle.writer import write_packed

FILES = (
    "manifest.json",
    "manifest.sha256",
    "encoder.onnx",
    "step.onnx",
    "step_full.onnx",
    "scorer.onnx",
    "shortlist.safetensors",
    "weights.safetensors",
    "tokenizer.model",
    "README.md",
    "LICENSE",
)
_BLOCK = 512


def truncate(path, chance):
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])


def cut_the_last_byte(path, chance):
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(path, chance):
    path.write_bytes(path.read_bytes() + chance.choice([b"\0", b"\n", b" ", b"{}"]))


def empty(path, chance):
    path.write_bytes(b"")


def blank(path, chance):
    path.write_bytes(bytes(path.stat().st_size))


def flip_a_bit(path, chance):
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def overwrite_a_part(path, chance):
    content = bytearray(path.read_bytes())
    start = chance.randrange(len(content))
    length = min(16, len(content) - start)
    content[start : start + length] = bytes(b ^ 0xFF for b in content[start : start + length])
    path.write_bytes(content)


def swap(path, chance):
    other = path.with_name(chance.choice([name for name in FILES if name != path.name]))
    mine, theirs = path.read_bytes(), other.read_bytes()
    path.write_bytes(theirs)
    other.write_bytes(mine)


def remove(path, chance):
    path.unlink()


def rename(path, chance):
    path.rename(path.with_name(path.name.swapcase()))


def link_hard(path, chance):
    os.link(path, path.parent.parent / "second-name")


def link_hard_from_outside(path, chance):
    outside = path.parent.parent / "outside"
    shutil.copy(path, outside)
    path.unlink()
    os.link(outside, path)


def link_symbolically(path, chance):
    elsewhere = path.parent.parent / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def link_inside(path, chance):
    path.rename(path.with_name("original"))
    path.symlink_to("original")


def link_to_nothing(path, chance):
    path.unlink()
    path.symlink_to("nowhere")


def link_to_itself(path, chance):
    path.unlink()
    path.symlink_to(path.name)


def make_a_directory(path, chance):
    path.unlink()
    path.mkdir()


def make_a_pipe(path, chance):
    path.unlink()
    os.mkfifo(path)


def make_a_socket(path, chance):
    path.unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


HARM = {
    truncate: 4,
    cut_the_last_byte: 1,
    lengthen: 3,
    empty: 1,
    blank: 1,
    flip_a_bit: 16,
    overwrite_a_part: 4,
    swap: 2,
    remove: 1,
    rename: 1,
    link_hard: 1,
    link_hard_from_outside: 1,
    link_symbolically: 1,
    link_inside: 1,
    link_to_nothing: 1,
    link_to_itself: 1,
    make_a_directory: 1,
    make_a_pipe: 1,
    make_a_socket: 1,
}
"""Every kind of harm, and how many times each file suffers it, each time elsewhere."""


def in_folder(document, name):
    document["files"][f"sub/{name}"] = document["files"].pop(name)


def in_parent(document, name):
    document["files"][f"../{name}"] = document["files"].pop(name)


def absolute(document, name):
    document["files"]["/etc/passwd"] = document["files"].pop(name)


def graph_in_parent(document, name):
    document["variants"]["fp32"]["graphs"]["step"]["file"] = f"../{name}"


MISLEADING = (in_folder, in_parent, absolute, graph_in_parent)
"""Manifests that were made to lead elsewhere, and sealed again."""


class Packed:
    """A packed bundle in parts, to do harm to."""

    def __init__(self, content):
        self.members = []
        """Header and content with its padding, of each file in turn."""
        start = 0
        while content[start]:
            size = int(content[start + 124 : start + 135], 8)
            end = start + _BLOCK + size + -size % _BLOCK
            self.members.append([content[start : start + _BLOCK], content[start + _BLOCK : end]])
            start = end
        self.end = content[start:]

    def bytes(self):
        return b"".join(part for member in self.members for part in member) + self.end


def _flip(content, position, chance):
    flipped = bytearray(content)
    flipped[position] ^= 1 << chance.randrange(8)
    return bytes(flipped)


def _signed(header):
    """A header with the checksum that it should have, so that any other reader takes it."""
    blank = header[:148] + b" " * 8 + header[156:]
    return header[:148] + f"{sum(blank):06o}\0 ".encode() + header[156:]


def flip_in_header(packed, i, chance):
    packed.members[i][0] = _flip(packed.members[i][0], chance.randrange(_BLOCK), chance)


def flip_in_content(packed, i, chance):
    content = packed.members[i][1]
    packed.members[i][1] = _flip(content, chance.randrange(len(content)), chance)


def leave_out(packed, i, chance):
    del packed.members[i]


def pack_twice(packed, i, chance):
    packed.members.insert(i, packed.members[i])


def pack_twice_at_the_end(packed, i, chance):
    packed.members.append(packed.members[i])


def pack_in_another_order(packed, i, chance):
    member = packed.members.pop(i)
    packed.members.insert((i + 1) % (len(packed.members) + 1), member)


def name_the_parent(packed, i, chance):
    header = packed.members[i][0]
    packed.members[i][0] = _signed(b"../" + header[:97] + header[100:])


def link_to_a_file_outside(packed, i, chance):
    kind = chance.choice([b"1", b"2"])
    header = packed.members[i][0]
    target = b"/etc/passwd".ljust(100, b"\0")
    packed.members[i][0] = _signed(header[:156] + kind + target + header[257:])


def claim_another_size(packed, i, chance):
    header = packed.members[i][0]
    size = chance.choice([b"77777777777\0", b"00000000000\0", b"-0000000001\0", b"\xff" * 12])
    packed.members[i][0] = _signed(header[:124] + size + header[136:])


def make_it_readable_by_all(packed, i, chance):
    """Harmless to any other reader; but a bundle has one packed form only."""
    header = packed.members[i][0]
    packed.members[i][0] = _signed(header[:100] + b"0000666\0" + header[108:])


def cut_inside(packed, i, chance):
    packed.members[i + 1 :] = []
    packed.end = b""
    content = packed.members[i][1]
    packed.members[i][1] = content[: chance.randrange(len(content))]


PACKED_HARM = {
    flip_in_header: 4,
    flip_in_content: 4,
    leave_out: 1,
    pack_twice: 1,
    pack_twice_at_the_end: 1,
    pack_in_another_order: 1,
    name_the_parent: 1,
    link_to_a_file_outside: 2,
    claim_another_size: 3,
    make_it_readable_by_all: 1,
    cut_inside: 2,
}


def cases(harm):
    """Every kind of harm to every file, as often as it is to be done."""
    return [
        pytest.param(harmful, name, turn, id=f"{harmful.__name__}-{name}-{turn}")
        for harmful, turns in harm.items()
        for name in FILES
        for turn in range(turns)
    ]


def test_these_are_more_than_500_cases():
    misleading = len(MISLEADING) * len(FILES[2:])
    assert len(cases(HARM)) + len(cases(PACKED_HARM)) + misleading >= 500


def test_they_are_of_every_file_that_a_bundle_has(pristine, manifest):
    assert set(FILES) == {path.name for path in pristine.iterdir()}
    named = {
        entry.file for variant in manifest.variants.values() for entry in variant.graphs.values()
    }
    assert named | {manifest.shortlist.file} < set(FILES)


@pytest.fixture
def parsed(monkeypatch):
    """The manifests that were parsed. Any other parser fails the test by being called."""
    seen = []

    def parse(content):
        seen.append(content)
        return parse_document(content)

    def must_not_parse(*arguments):
        raise AssertionError("a parser saw bytes of a bundle that is not whole")

    monkeypatch.setattr(sealed_module, "parse_document", parse)
    monkeypatch.setattr(bundle_module, "Tokenizer", must_not_parse)
    monkeypatch.setattr(weights_module.safetensors.numpy, "load", must_not_parse)
    return seen


def refusal_of(path):
    """Load a bundle, and return the one line with which it is refused."""
    with pytest.raises(BundleError) as refusal:
        Bundle.load(path)
    message = str(refusal.value)
    assert "\n" not in message
    prefix, _, rest = message.partition(f"{path}: ")
    assert prefix == ""
    return rest


@pytest.mark.parametrize(("harm", "name", "turn"), cases(HARM))
def test_harm_to_a_file_is_refused(directory, pristine, parsed, harm, name, turn):
    harm(directory / name, random.Random(f"{harm.__name__}/{name}/{turn}"))
    message = refusal_of(directory)
    # Manifest and seal are held against each other, so either may be told of the other's harm.
    named = {name} if name not in FILES[:2] else set(FILES[:2])
    changed = {
        path.name
        for path in directory.iterdir()
        if path.name in FILES and path.is_file() and path.read_bytes() != _content(pristine, path)
    }
    extra = {path.name for path in directory.iterdir()} - set(FILES)
    assert any(word in message for word in named | changed | extra)
    assert set(parsed) <= {_content(pristine, directory / "manifest.json")}


def _content(pristine, path):
    return (pristine / path.name).read_bytes()


@pytest.mark.parametrize("mislead", MISLEADING)
@pytest.mark.parametrize("name", FILES[2:])
def test_a_sealed_manifest_that_leads_elsewhere_is_refused(directory, parsed, mislead, name):
    shutil.copy(directory / name, directory.parent / name)
    document = json.loads((directory / "manifest.json").read_bytes())
    mislead(document, name)
    content = json.dumps(document).encode()
    (directory / "manifest.json").write_bytes(content)
    (directory / "manifest.sha256").write_bytes(seal_of(content))
    assert refusal_of(directory).startswith("manifest.json: ")


@pytest.fixture(scope="session")
def packed(pristine, tmp_path_factory):
    """The same bundle in its packed form."""
    path = tmp_path_factory.mktemp("packed") / "small.tar"
    write_packed(path, SealedBundle.read(pristine))
    return path.read_bytes()


@pytest.mark.parametrize(("harm", "name", "turn"), cases(PACKED_HARM))
def test_harm_to_a_packed_file_is_refused(packed, tmp_path, parsed, harm, name, turn):
    parts = Packed(packed)
    assert parts.bytes() == packed
    order = [header[:100].rstrip(b"\0").decode() for header, _ in parts.members]
    assert set(order) == set(FILES)
    harm(parts, order.index(name), random.Random(f"{harm.__name__}/{name}/{turn}"))
    path = tmp_path / "small.tar"
    path.write_bytes(parts.bytes())
    message = refusal_of(path)
    assert any(file in message for file in FILES) or "nor a packed one" in message
    assert set(parsed) <= {_manifest(packed)}


def _manifest(packed):
    parts = Packed(packed)
    return parts.members[0][1].rstrip(b"\0")


@pytest.mark.parametrize("more", [b"\0", b"\0" * _BLOCK, b"more", b"\n"])
def test_nothing_may_follow_a_packed_bundle(packed, tmp_path, parsed, more):
    path = tmp_path / "small.tar"
    path.write_bytes(packed + more)
    assert "does not end where it should" in refusal_of(path)


@pytest.mark.parametrize("length", [0, 1, _BLOCK - 1, _BLOCK, -1, -_BLOCK, -2 * _BLOCK])
def test_a_packed_bundle_that_is_cut_off_is_refused(packed, tmp_path, parsed, length):
    path = tmp_path / "small.tar"
    path.write_bytes(packed[:length])
    refusal_of(path)


def test_a_packed_bundle_with_a_second_hard_link_is_refused(packed, tmp_path, parsed):
    path = tmp_path / "small.tar"
    path.write_bytes(packed)
    os.link(path, tmp_path / "second-name")
    assert refusal_of(path).startswith("the packed bundle: has 2 hard links")


def test_an_archive_of_another_program_is_refused(pristine, tmp_path, parsed):
    path = tmp_path / "small.tar"
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name in FILES:
            archive.add(pristine / name, name)
    assert "another header than `ferryman bundle pack` writes" in refusal_of(path)


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero", "/dev/tty"])
def test_a_device_is_no_bundle(device, parsed):
    with pytest.raises(BundleError, match=rf"^{device}: "):
        Bundle.load(Path(device))
