"""Packages are read without unpacking them."""

from __future__ import annotations

import pytest

from ferryman_training.debian.archive import files_of
from ferryman_training.debian.errors import PackageError

from .conftest import deb

FILES = {"usr/share/doc/a/copyright": "free", "usr/share/man/man1/a.1": "x" * 100_001}


@pytest.mark.parametrize("compression", ["", ".gz", ".xz", ".zst"])
def test_the_wanted_files_are_read_whatever_the_compression(tmp_path, compression):
    path = tmp_path / "a.deb"
    path.write_bytes(deb(FILES, compression=compression))
    found = dict(files_of(path, lambda name: True))
    assert found == {name: text.encode() for name, text in FILES.items()}
    assert [name for name, _ in files_of(path, lambda name: name.endswith(".1"))] == [
        "usr/share/man/man1/a.1"
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no package",
        b"!<arch>\n",
        b"!<arch>\n" + b"x" * 60,
        deb(FILES)[:-40],
        deb(FILES).replace(b"data.tar.xz", b"data.tar.zz"),
        deb(FILES, compression=".zst")[:-9],
        deb(FILES, compression="")[:70_000],
    ],
)
def test_a_damaged_package_is_refused_by_name(tmp_path, content):
    path = tmp_path / "a.deb"
    path.write_bytes(content)
    with pytest.raises(PackageError, match=r"a\.deb: "):
        list(files_of(path, lambda name: True))
