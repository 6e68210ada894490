"""A corpus is made of packages, all of it or nothing, and again the same."""

from __future__ import annotations

import gzip
import itertools
import lzma
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polib
import pytest
from typer.testing import CliRunner

from ferryman_training.commands.corpus import app
from ferryman_training.corpus import read_pairs
from ferryman_training.debian.sources import LOCALES, NAMES, SOURCES

from .conftest import deb

ROOT = Path(__file__).parents[4]


def sentences(count: int) -> list[tuple[str, str]]:
    """Different sentences of invented words, with what stands for their translations."""
    chance = random.Random(1)

    def words(letters: str) -> Iterator[str]:
        while True:
            yield "".join(chance.choices(letters, k=6))

    english, french = words("abcdefgh"), words("ijklmnop")
    return [
        (
            " ".join(["The", *itertools.islice(english, 7), "is not", next(english)]) + ".",
            " ".join(["Le", *itertools.islice(french, 7), "est pas", next(french)]) + ".",
        )
        for _ in range(count)
    ]


@pytest.fixture
def debian(mirror, tmp_path):
    """A mirror with three sources: the reference, manual pages and messages."""
    rows = sentences(300)

    def page(side: int) -> str:
        body = "".join(f"<p>{row[side]}</p>" for row in rows[:200])
        return f"<html><body><h1>{('Title', 'Titre')[side]}</h1>{body}</body></html>"

    def manual(side: int) -> bytes:
        body = "".join(f"{row[side]}\n.PP\n" for row in rows[200:260])
        return gzip.compress(f".TH A 1\n.SH NAME\n{body}".encode())

    catalogue = polib.POFile()
    catalogue.metadata = {"Content-Type": "text/plain; charset=UTF-8"}
    catalogue.extend(polib.POEntry(msgid=s, msgstr=t) for s, t in rows[260:])
    catalogue.save_as_mofile(str(tmp_path / "a.mo"))
    copyright_of = "usr/share/doc/{}/copyright".format
    mirror.publish(
        {
            "debian-reference-en": deb(
                {
                    "usr/share/debian-reference/ch01.en.html": page(0),
                    copyright_of("debian-reference-en"): "GPL of the reference",
                }
            ),
            "debian-reference-fr": deb({"usr/share/debian-reference/ch01.fr.html": page(1)}),
            "manpages": deb({"usr/share/man/man1/a.1.gz": manual(0)}),
            "manpages-fr": deb({"usr/share/man/fr/man1/a.1.gz": manual(1)}),
            "dpkg": deb(
                {"usr/share/locale/fr/LC_MESSAGES/dpkg.mo": (tmp_path / "a.mo").read_bytes()}
            ),
        },
        {
            "main/i18n/Translation-en": "Package: a\nDescription-md5: 1\n"
            "Description-en: this is a tool for the file\n",
            "main/i18n/Translation-fr": "Package: a\nDescription-md5: 1\n"
            "Description-fr: ceci est un outil pour le fichier\n",
        },
    )
    return mirror


def run(mirror, out: Path, *options: str, target: str = "fr"):
    arguments = ["debian", str(out), "--target", target, "--mirror", mirror.url, *options]
    return CliRunner().invoke(app, arguments)


def read(folder: Path, part: str) -> list[tuple[str, str]]:
    pairs = read_pairs(folder / ("train.tsv.xz" if part == "train" else f"{part}.tsv"))
    return [(pair.source, pair.target) for pair in pairs]


def test_a_corpus_has_three_parts_their_sources_and_their_licences(debian, tmp_path):
    out = tmp_path / "corpus"
    result = run(debian, out)
    assert result.exit_code == 0, result.output
    parts = {part: read(out, part) for part in ("train", "valid", "test")}
    assert len(parts["valid"]) == len(parts["test"]) == sum(map(len, parts.values())) // 20
    expected = {
        *sentences(300),
        ("this is a tool for the file", "ceci est un outil pour le fichier"),
    }
    found = [row for part in parts.values() for row in part]
    assert len(found) == len(set(found))
    assert set(found) <= expected
    assert len(found) > 0.9 * len(expected)
    assert (out / "valid.sources").read_text("utf-8").count("\n") == len(parts["valid"])
    held = (out / "valid.sources").read_text("utf-8") + (out / "test.sources").read_text("utf-8")
    assert "gettext-ui" not in held
    with lzma.open(out / "train.sources.xz", "rt") as file:
        origins = [line.rstrip("\n").split("\t") for line in file]
    assert len(origins) == len(parts["train"])
    assert {source for source, _ in origins} == {
        "ddtp", "debian-reference", "manpages", "gettext-ui"
    }  # fmt: skip
    listed = (out / "SOURCES.md").read_text("utf-8")
    assert "debian-reference-en 1.0, debian-reference-fr 1.0" in listed
    assert "Debian Description Translation Project" in listed
    assert (out / "licences" / "debian-reference-en.txt").read_text() == "GPL of the reference"


def test_the_same_packages_and_seed_make_the_same_corpus(debian, tmp_path):
    for name in ("one", "two"):
        result = run(debian, tmp_path / name, "--downloads", str(tmp_path / "shared"))
        assert result.exit_code == 0, result.output
    for part in ("train", "valid", "test"):
        assert read(tmp_path / "one", part) == read(tmp_path / "two", part)
    pool = [path for path, _ in debian.requests if path.startswith("/pool")]
    assert len(pool) == len(set(pool)) == 5


def test_a_corpus_that_is_there_is_not_overwritten(debian, tmp_path):
    out = tmp_path / "corpus"
    assert run(debian, out, "--sources", "manpages").exit_code == 0
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    result = run(debian, out)
    assert result.exit_code == 1
    assert "holds a corpus already; choose another folder" in result.output
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before


def test_only_the_sources_asked_for_are_fetched(debian, tmp_path):
    assert run(debian, tmp_path / "c", "--sources", "debian-reference,ddtp").exit_code == 0
    pool = [path for path, _ in debian.requests if path.startswith("/pool")]
    assert sorted(path.split("/")[4] for path in pool) == [
        "debian-reference-en",
        "debian-reference-fr",
    ]


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--sources", "manpages,poetry"], 2, "there is no poetry; there are ddtp,"),
        (["--suite", "trixie"], 1, "dists/trixie/Release: 404"),
        (["--sources", "wesnoth"], 1, "hold no pair that is fit"),
    ],
)
def test_what_cannot_be_made_is_one_clear_error(debian, tmp_path, options, status, message):
    result = run(debian, tmp_path / "c", *options)
    assert result.exit_code == status
    assert message in " ".join(result.output.replace("│", " ").split())
    assert not (tmp_path / "c" / "train.tsv.xz").exists()


def test_a_language_without_descriptions_is_refused_by_name(debian, tmp_path):
    result = run(debian, tmp_path / "c", target="de")
    assert result.exit_code == 1
    assert "lists no main/i18n/Translation-de" in result.output


def test_a_damaged_package_is_named_and_nothing_is_written(debian, tmp_path):
    debian.publish({"manpages": b"!<arch>\nodd", "manpages-fr": deb({})})
    result = run(debian, tmp_path / "c", "--sources", "manpages")
    assert result.exit_code == 1
    assert "manpages_1.0_all.deb: is damaged" in result.output
    assert sorted(p.name for p in (tmp_path / "c").iterdir()) == ["downloads"]


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_with_what_has_come(debian, tmp_path):
    name = "/pool/main/d/debian-reference-en/debian-reference-en_1.0_all.deb"
    debian.cut[name] = 500
    debian.failures["/pool/main/m/manpages/manpages_1.0_all.deb"] = [404]
    out = tmp_path / "c"
    command = [
        sys.executable, "-m", "ferryman_training.commands.corpus", "debian", str(out),
        "--target", "fr", "--mirror", debian.url,
    ]  # fmt: skip
    paths = os.pathsep.join(str(ROOT / root) for root in ("client", "server", "export", "training"))
    for status in (1, 0):
        process = subprocess.run(
            command,
            env=os.environ | {"PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == status, process.stderr
        assert "Traceback" not in process.stderr
    assert [asked for path, asked in debian.requests if path == name] == [None, "bytes=500-"]
    assert (out / "train.tsv.xz").exists()


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_source_has_packages_and_patterns_in_every_language(source, language):
    assert source.packages_for(language)
    english, translated = source.patterns(language)
    assert "document" in translated.groupindex
    assert english is None or "document" in english.groupindex
    assert not {"LANG", "LOCALE", "TAG"} & {translated.pattern, *source.packages_for(language)}
    assert len(set(NAMES)) == len(NAMES)
