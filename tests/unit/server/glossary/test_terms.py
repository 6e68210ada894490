"""Terms in texts, inflected or not."""

from __future__ import annotations

import pytest

from ferryman_server.glossary.terms import Glossary, Term, find_terms, has_term

TERMS = (Term("file", "fichier"), Term("file system", "système de fichiers"), Term("IT", "info"))


def found(text: str, language: str = "en", **options) -> list[tuple[str, str]]:
    glossary = Glossary(terms=TERMS, **options)
    return [(one.span.of(text), one.term.target) for one in find_terms(text, glossary, language)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a file", [("file", "fichier")]),
        ("two files.", [("files", "fichier")]),
        ("file systems are files", [("file systems", "système de fichiers"), ("files", "fichier")]),
        ("a File and it", []),
        ("profile filet", []),
        ("", []),
    ],
)
def test_a_term_is_found_as_whole_words_the_longest_first(text, expected):
    assert found(text) == expected


def test_case_and_inflections_are_as_the_caller_wants_them():
    assert found("Files and it", ignore_case=True) == [("Files", "fichier"), ("it", "info")]
    assert found("files, a file", match_inflections=False) == [("file", "fichier")]
    assert found("a file, files", language="xx") == [("file", "fichier")]


def test_a_translation_may_inflect_its_terms():
    assert has_term("Les fichiers sont là", "fichier", "fr")
    assert has_term("Systèmes de fichiers", "système de fichiers", "fr")
    assert not has_term("Le profil", "fichier", "fr")
    assert has_term("C++ et C#", "C++", "fr")
