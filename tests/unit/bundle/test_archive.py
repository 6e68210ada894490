"""The packed form: one file, the same bytes for the same bundle, readable by any tar."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from ferryman_bundle import Bundle, BundleError
from ferryman_bundle.archive import ArchiveReader, pack
from ferryman_bundle.files import SizeLimits
from ferryman_bundle.sealed import SealedBundle
from ferryman_bundle.writer import write_directory, write_packed

FORMAT_1 = Path(__file__).parents[2] / "data" / "format-1"


@pytest.fixture(params=["format 2", "format 1"])
def sealed(request, pristine):
    return SealedBundle.read(pristine if request.param == "format 2" else FORMAT_1)


@pytest.fixture
def packed(sealed, tmp_path):
    path = tmp_path / "bundle.tar"
    write_packed(path, sealed)
    return path


def test_a_packed_bundle_is_the_bundle(sealed, packed):
    again = SealedBundle.read(packed)
    assert again == sealed
    assert again.digest == sealed.digest
    assert Bundle.load(packed).manifest == sealed.manifest


def test_what_is_unpacked_is_what_was_packed(sealed, packed, tmp_path):
    write_directory(tmp_path / "again", SealedBundle.read(packed).files)
    found = {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()}
    assert found == sealed.files
    assert SealedBundle.read(tmp_path / "again") == sealed


def test_equal_bundles_are_packed_into_equal_bytes(sealed, packed, tmp_path):
    write_directory(tmp_path / "copy", dict(reversed(sealed.files.items())))
    os.utime(tmp_path / "copy" / "LICENSE", (1, 1))
    (tmp_path / "copy" / "LICENSE").chmod(0o600)
    write_packed(tmp_path / "copy.tar", SealedBundle.read(tmp_path / "copy"))
    assert (tmp_path / "copy.tar").read_bytes() == packed.read_bytes()


def test_the_bytes_of_a_header_stay():
    """A header that changes makes every bundle that was ever packed unreadable."""
    header = next(pack({"manifest.json": b"{}"}))
    assert header == (
        b"manifest.json".ljust(100, b"\0")
        + b"0000644\x000000000\x000000000\x0000000000002\x0000000000000\x00011676\0 0"
        + bytes(100)
        + b"ustar\x0000"
        + bytes(64)
        + b"0000000\x000000000\0"
        + bytes(167)
    )


def test_any_tar_can_list_and_extract_it(sealed, packed, tmp_path):
    with tarfile.open(packed) as archive:
        names = archive.getnames()
        assert names[0] == "manifest.json"
        assert sorted(names) == sorted(sealed.files)
        for member in archive.getmembers():
            assert (member.mode, member.mtime, member.uid, member.uname) == (0o644, 0, 0, "")
        archive.extractall(tmp_path / "extracted", filter="data")
    assert SealedBundle.read(tmp_path / "extracted") == sealed


def test_a_name_may_fill_its_field(tmp_path):
    name = "a" * 100
    path = tmp_path / "packed"
    path.write_bytes(b"".join(pack({"manifest.json": b"{}", name: b"content"})))
    with path.open("rb") as file:
        reader = ArchiveReader(file)
        assert reader.read("manifest.json", limit=10) == b"{}"
        assert not reader.has(name[:-1])
        assert reader.read(name, 7, limit=10) == b"content"
        reader.finish()


def test_a_packed_bundle_may_be_reached_through_a_link(packed, sealed, tmp_path):
    (tmp_path / "current.tar").symlink_to(packed)
    assert SealedBundle.read(tmp_path / "current.tar") == sealed


def test_a_packed_bundle_of_more_than_the_limit_is_not_read(packed):
    with packed.open("r+b") as file:
        file.truncate(1 << 40)  # sparse: it takes no room on the disk
    with pytest.raises(BundleError, match=r"the packed bundle: is \d+ bytes long; at most"):
        SealedBundle.read(packed)


def test_a_member_of_more_than_the_limit_is_not_read(packed):
    with pytest.raises(BundleError, match=r"manifest\.json: is \d+ bytes long; at most 100 are"):
        SealedBundle.read(packed, SizeLimits(manifest=100))


def test_nothing_that_exists_is_overwritten(packed, sealed):
    before = packed.read_bytes()
    with pytest.raises(BundleError, match=r"bundle\.tar: exists already"):
        write_packed(packed, sealed)
    assert packed.read_bytes() == before


def test_a_failure_on_the_way_leaves_nothing(sealed, tmp_path, monkeypatch):
    def fail(descriptor):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        write_packed(tmp_path / "small.tar", sealed)
    assert not list(tmp_path.iterdir())
