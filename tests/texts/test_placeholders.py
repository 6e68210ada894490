"""Placeholders through the default model: each in the translation as often as in the source."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import polib
import pytest
from placeholder_texts import placeholder_text

from ferryman_server.translation import TextTranslation, WarningKind

SMALL, DEEP = 200, 2000
CATALOGUES = Path("/usr/share/locale/fr/LC_MESSAGES")
_PRINTF = re.compile(r"%[-#0+']*(?:\*|\d+)?(?:\.(?:\*|\d+))?(?:hh|h|ll|l|j|z|t)?[diouxXcsfgeEGp]")


def lost(text: TextTranslation, spans: list[str]) -> list[str]:
    """Return the spans that a translation does not have as often as its source."""
    translation = text.hypotheses[0].text
    return [span for span, count in Counter(spans).items() if translation.count(span) < count]


def warned(text: TextTranslation) -> bool:
    return any(
        w.kind in (WarningKind.PLACEHOLDER_LOST, WarningKind.TRANSLATED_IN_PIECES)
        for w in text.warnings
    )


@pytest.mark.parametrize("count", [SMALL, pytest.param(DEEP, marks=pytest.mark.deep)])
def test_no_placeholder_is_lost_without_a_word(translate, chance, record_property, count):
    made = [placeholder_text(chance) for _ in range(count)]
    translations = translate([text for text, _ in made])
    outcomes = Counter(
        ("warned" if warned(translation) else "silent")
        if lost(translation, spans)
        else ("piecewise" if translation.is_piecewise else "clean")
        for (_, spans), translation in zip(made, translations, strict=True)
    )
    record_property("outcomes", dict(outcomes))
    silent = [
        (text, lost(translation, spans), translation.hypotheses[0].text)
        for (text, spans), translation in zip(made, translations, strict=True)
        if lost(translation, spans) and not warned(translation)
    ]
    assert not silent
    assert outcomes["warned"] == 0  # the fallback keeps whatever the model would not
    assert outcomes["clean"] >= 0.9 * count


def catalogue_messages(path: Path) -> list[str]:
    """Return the messages of a catalogue that have conversions of printf."""
    text = subprocess.run(["msgunfmt", path], capture_output=True, check=True).stdout
    entries = polib.pofile(text.decode("utf-8", "replace"))
    # `93% of width` has a conversion for msgfmt, unless a flag that catalogues do not keep says no.
    return [
        e.msgid
        for e in entries
        if not e.msgid_plural and _PRINTF.search(e.msgid) and "% " not in e.msgid
    ]


def as_catalogue(pairs: list[tuple[str, str]]) -> str:
    catalogue = polib.POFile(wrapwidth=0)
    catalogue.metadata = {"Content-Type": "text/plain; charset=UTF-8", "Language": "fr"}
    catalogue += [polib.POEntry(msgid=s, msgstr=t, flags=["c-format"]) for s, t in pairs]
    return str(catalogue)


def format_faults(pairs: list[tuple[str, str]], folder: Path) -> str:
    """Return what ``msgfmt --check-format`` has against translations."""
    file = folder / "fr.po"
    file.write_text(as_catalogue(pairs), encoding="utf-8")
    done = subprocess.run(
        ["msgfmt", "--check-format", "-o", os.devnull, file],
        capture_output=True,
        check=False,
        env=os.environ | {"LC_ALL": "C"},
    )
    return done.stderr.decode("utf-8", "replace") if done.returncode else ""


needs_gettext = pytest.mark.skipif(
    not (shutil.which("msgfmt") and shutil.which("msgunfmt")), reason="gettext is not installed"
)


@needs_gettext
@pytest.mark.parametrize(
    ("package", "most"),
    [
        ("bash", 60),
        *(
            pytest.param(package, 10**6, marks=pytest.mark.deep)
            for package in ("bash", "apt", "dpkg", "coreutils", "git", "binutils")
        ),
    ],
)
def test_the_messages_of_a_catalogue_keep_their_formats(
    translate, tmp_path, record_property, package, most
):
    path = CATALOGUES / f"{package}.mo"
    if not path.exists():
        pytest.skip(f"{path} is not on this machine")
    messages = catalogue_messages(path)
    # What msgfmt holds against a message itself is no fault of its translation.
    refused = set(re.findall(r"fr\.po:(\d+)", format_faults([(m, m) for m in messages], tmp_path)))
    assert not refused
    messages = messages[:most]
    translations = translate(messages)
    pairs = [(m, t.hypotheses[0].text) for m, t in zip(messages, translations, strict=True)]
    counts = Counter("piecewise" if t.is_piecewise else "clean" for t in translations)
    record_property("outcomes", dict(counts))
    assert format_faults(pairs, tmp_path) == ""
    translated = sum(source != target for source, target in pairs)
    assert translated > 0.5 * len(pairs)
