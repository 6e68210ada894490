"""Terms and where they are in a text, inflected or not."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Final

import snowballstemmer

from ferryman_server.text.span import Span

_WORD: Final = re.compile(r"\w+")
_STEMMED: Final = {
    "ar": "arabic", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "es": "spanish", "eu": "basque", "fi": "finnish", "fr": "french", "hu": "hungarian",
    "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian", "ne": "nepali",
    "nl": "dutch", "no": "norwegian", "nb": "norwegian", "pt": "portuguese", "ro": "romanian",
    "ru": "russian", "sv": "swedish", "tr": "turkish",
}  # fmt: skip
"""Languages whose words can be stemmed; of others a word is itself."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term and its translation."""

    source: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Glossary:
    """Terms, and how they are found."""

    terms: tuple[Term, ...] = ()
    ignore_case: bool = False
    match_inflections: bool = True


@dataclass(frozen=True, slots=True)
class FoundTerm:
    """A term in a text."""

    term: Term
    span: Span


def find_terms(text: str, glossary: Glossary, language: str) -> list[FoundTerm]:
    """Return the terms that a text has, in order; of two that overlap the longer one.

    Args:
        text: Any text.
        glossary: The terms; of those that are alike the first one counts.
        language: BCP-47 code of the text, by whose rules inflected words are known.
    """
    if not glossary.terms:
        return []
    words = [Span(*match.span()) for match in _WORD.finditer(text)]
    keys = [_key(span.of(text), glossary, language) for span in words]
    terms = _by_first_word(glossary, language)
    found: list[FoundTerm] = []
    number = 0
    while number < len(words):
        for parts, term in terms.get(keys[number], ()):
            end = number + len(parts)
            if tuple(keys[number:end]) == parts:
                found.append(FoundTerm(term, Span(words[number].start, words[end - 1].end)))
                number = end
                break
        else:
            number += 1
    return found


def has_term(text: str, target: str, language: str) -> bool:
    """Tell whether a translation has a term, inflected or not, in any spelling of its case."""
    glossary = Glossary(terms=(Term(target, ""),), ignore_case=True)
    return target in text or bool(find_terms(text, glossary, language))


@functools.lru_cache(maxsize=64)
def _by_first_word(
    glossary: Glossary, language: str
) -> dict[str, list[tuple[tuple[str, ...], Term]]]:
    """Return terms by their first word, the longest first."""
    terms: dict[str, list[tuple[tuple[str, ...], Term]]] = {}
    for term in glossary.terms:
        words = tuple(_key(word, glossary, language) for word in _WORD.findall(term.source))
        if words:
            terms.setdefault(words[0], []).append((words, term))
    for alike in terms.values():
        alike.sort(key=lambda entry: -len(entry[0]))
    return terms


def _key(word: str, glossary: Glossary, language: str) -> str:
    """Return what equal words have in common."""
    if not glossary.match_inflections:
        return word.lower() if glossary.ignore_case else word
    stem = _stem(word.lower(), language.partition("-")[0].lower())
    # An inflected word has its first letter as its term has it.
    return stem if glossary.ignore_case else word[:1] + stem[1:]


@functools.lru_cache(maxsize=4096)
def _stem(word: str, language: str) -> str:
    name = _STEMMED.get(language)
    return word if name is None else str(snowballstemmer.stemmer(name).stemWord(word))
