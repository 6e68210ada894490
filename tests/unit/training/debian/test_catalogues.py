"""Messages of programs are read as they are shown."""

from __future__ import annotations

import json

import polib
import pytest

from ferryman_training.corpus import SentencePair
from ferryman_training.debian.catalogues import gettext_pairs, json_pairs


@pytest.fixture
def catalogue(tmp_path):
    def compiled(*entries: polib.POEntry) -> bytes:
        file = polib.POFile()
        file.metadata = {"Content-Type": "text/plain; charset=UTF-8"}
        file.extend(entries)
        file.save_as_mofile(str(tmp_path / "m.mo"))
        return (tmp_path / "m.mo").read_bytes()

    return compiled


def test_messages_come_with_plurals_and_without_accelerators_and_contexts(catalogue):
    content = catalogue(
        polib.POEntry(msgid="_Open the file", msgstr="_Ouvrir le fichier"),
        polib.POEntry(msgid="Save &as", msgstr="Enregistrer so&us"),
        polib.POEntry(msgid="unit^Elvish Archer", msgstr="Archer elfe", msgctxt="c"),
        polib.POEntry(msgid="Research & work", msgstr="Recherche et travail"),
        polib.POEntry(msgid="It&#8217;s", msgstr="C&rsquo;est"),
        polib.POEntry(msgid="one", msgid_plural="%d", msgstr_plural={0: "un", 1: "des"}),
    )
    assert set(gettext_pairs(content)) >= {
        SentencePair("Open the file", "Ouvrir le fichier"),
        SentencePair("Save as", "Enregistrer sous"),
        SentencePair("Elvish Archer", "Archer elfe"),
        SentencePair("Research & work", "Recherche et travail"),
        SentencePair("It’s", "C’est"),
        SentencePair("one", "un"),
        SentencePair("%d", "des"),
    }


@pytest.mark.parametrize("content", [b"", b"no catalogue", b"\xde\x12\x04\x95" + b"\xff" * 40])
def test_a_damaged_catalogue_has_no_messages(content):
    assert list(gettext_pairs(content)) == []


def test_json_messages_are_joined_by_their_keys():
    english = {"@metadata": {"authors": []}, "a": "A message", "b": "only here"}
    french = {"@metadata": {"authors": ["x"]}, "a": "Un message", "c": "seulement là"}
    found = list(json_pairs(json.dumps(english).encode(), json.dumps(french).encode()))
    assert found == [SentencePair("A message", "Un message")]
    assert list(json_pairs(b"{", b"{}")) == []
    assert list(json_pairs(b"[]", b"{}")) == []
