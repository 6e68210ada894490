"""A mirror's indexes are read, and nothing is taken that they do not vouch for."""

from __future__ import annotations

import pytest

from ferryman_training.debian.errors import MirrorError
from ferryman_training.debian.mirror import Mirror, stanzas


def suite(mirror, tmp_path) -> Mirror:
    return Mirror(mirror.url, "bookworm", tmp_path / "downloads")


def test_paragraphs_are_mappings_with_their_further_lines():
    text = "Package: a\nSize: 3\n\n\nPackage: b\nDescription: x\n y\n .\n  z\n"
    assert list(stanzas(text)) == [
        {"Package": "a", "Size": "3"},
        {"Package": "b", "Description": "x\n y\n .\n  z"},
    ]


def test_a_package_is_found_by_name_and_fetched_once(mirror, tmp_path):
    mirror.publish({"a-doc": b"content of a", "b": b"content of b"})
    debian = suite(mirror, tmp_path)
    package = debian.packages["a-doc"]
    assert (package.version, package.size) == ("1.0", 12)
    for _ in range(2):
        path = debian.fetch(package, watch=lambda _: None)
        assert path.read_bytes() == b"content of a"
    assert [p for p, _ in mirror.requests if p.startswith("/pool")] == [f"/{package.path}"]


def test_indexes_are_kept_by_their_digest(mirror, tmp_path):
    mirror.publish({"a": b"one"})
    suite(mirror, tmp_path).packages  # noqa: B018
    asked = len(mirror.requests)
    suite(mirror, tmp_path).packages  # noqa: B018
    assert [path for path, _ in mirror.requests[asked:]] == ["/dists/bookworm/Release"]
    mirror.publish({"a": b"one", "c": b"three"})
    assert "c" in suite(mirror, tmp_path).packages


def test_an_index_that_is_not_what_the_release_says_is_refused(mirror, tmp_path):
    mirror.publish({"a": b"one"})
    index = mirror.root / "dists/bookworm/main/binary-amd64/Packages.xz"
    index.write_bytes(b"x" * index.stat().st_size)
    with pytest.raises(MirrorError, match="has the SHA-256"):
        suite(mirror, tmp_path).packages  # noqa: B018


def test_a_package_that_is_not_what_the_index_says_is_refused(mirror, tmp_path):
    mirror.publish({"a": b"one"})
    debian = suite(mirror, tmp_path)
    package = debian.packages["a"]
    (mirror.root / package.path).write_bytes(b"two")
    with pytest.raises(MirrorError, match="has the SHA-256"):
        debian.fetch(package, watch=lambda _: None)


@pytest.mark.parametrize(
    ("release", "message"),
    [("Origin: x\n", "lists no SHA-256"), ("Origin: x\nSHA256:\n", "lists no main/binary-amd64")],
)
def test_a_release_without_digests_or_packages_is_refused(mirror, tmp_path, release, message):
    mirror.publish({})
    (mirror.root / "dists/bookworm/Release").write_text(release, "utf-8")
    with pytest.raises(MirrorError, match=message):
        suite(mirror, tmp_path).packages  # noqa: B018


def test_a_path_in_an_index_does_not_lead_out_of_the_folder(mirror, tmp_path):
    mirror.publish({"a": b"one"})
    debian = suite(mirror, tmp_path)
    package = debian.packages["a"]
    object.__setattr__(package, "path", f"../mirror/{package.path}")
    try:
        path = debian.fetch(package, watch=lambda _: None)
    except MirrorError:
        return
    assert path.parent == tmp_path / "downloads" / "packages"
