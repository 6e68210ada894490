"""Signs that a translation of one sentence is wrong, from the two texts alone."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from itertools import pairwise
from typing import Final

from ferryman_server.engine import FinishReason


class Doubt(StrEnum):
    """What looks wrong."""

    REPETITION = "repetition"
    UNUSUAL_LENGTH = "unusual_length"
    SOURCE_COPIED = "source_copied"
    WRONG_SCRIPT = "wrong_script"
    NUMBER_MISSING = "number_missing"


WORTH_ANOTHER_TRY: Final = frozenset(
    {Doubt.REPETITION, Doubt.UNUSUAL_LENGTH, Doubt.SOURCE_COPIED, Doubt.WRONG_SCRIPT}
)
"""Doubts that another search may settle."""

_WORD: Final = re.compile(r"\w+")
_NUMBER: Final = re.compile(r"\d+(?:[.,\u00a0\u202f ]\d{3}(?!\d))*(?:[.,]\d+)?")
_FEWEST_REPETITIONS: Final = 4
"""Of one word, or of two words by turns, side by side."""
_FEWEST_WORDS: Final = 4
"""Of a source, for it to be more than names."""
_FEWEST_CHARACTERS: Final = 20
"""Of a source, for its length to mean anything."""
_SHORTEST, _LONGEST = 0.35, 2.8
"""Characters of a translation for each of its source: of the 2,000 validation pairs of the default
model's corpus none is outside of this."""
_MOST_COPIED: Final = 0.8
_LATIN: Final = (
    "cs da de en es et fi fr ga hr hu id it lt lv ms nl no nb nn pl pt ro sk sl sv tr vi"
)
_SCRIPTS: Final = {
    **dict.fromkeys(_LATIN.split(), "LATIN"),
    **dict.fromkeys(("be", "bg", "mk", "ru", "uk"), "CYRILLIC"),
    **dict.fromkeys(("ar", "fa", "ur"), "ARABIC"),
    **dict.fromkeys(("hi", "mr", "ne"), "DEVANAGARI"),
    "bn": "BENGALI",
    "el": "GREEK",
    "he": "HEBREW",
    "hy": "ARMENIAN",
    "ja": "CJK HIRAGANA KATAKANA",
    "ka": "GEORGIAN",
    "ko": "HANGUL",
    "ta": "TAMIL",
    "th": "THAI",
    "zh": "CJK",
}
"""The first words of the Unicode names of the letters of a language."""


def doubts(
    source: str, target: str, finish_reason: FinishReason, *, languages: tuple[str, str]
) -> Iterator[Doubt]:
    """Yield what looks wrong about the translation of a sentence.

    Args:
        source: The sentence.
        target: Its translation.
        finish_reason: Why that ends.
        languages: BCP-47 codes of both.
    """
    if finish_reason is FinishReason.LOOP_GUARD or repeats_itself(source, target):
        yield Doubt.REPETITION
    if has_unusual_length(source, target):
        yield Doubt.UNUSUAL_LENGTH
    if is_copied(source, target) and languages[0].split("-")[0] != languages[1].split("-")[0]:
        yield Doubt.SOURCE_COPIED
    if has_wrong_script(source, target, languages[1]):
        yield Doubt.WRONG_SCRIPT
    if missing_numbers(source, target):
        yield Doubt.NUMBER_MISSING


def repeats_itself(source: str, target: str) -> bool:
    """Tell whether words come over and over that do not in the source.

    >>> repeats_itself("if not", "s'il n'y a pas pas pas pas")
    True
    >>> repeats_itself("no no no no", "non non non non")
    False
    """
    return _longest_run(target) >= _FEWEST_REPETITIONS > _longest_run(source)


def _longest_run(text: str) -> int:
    """Return how often a word, or two by turns, come side by side at most."""
    words = [word.lower() for word in _WORD.findall(text)]
    longest = 1
    for period in (1, 2, 3):
        equal = 0
        for word, earlier in zip(words[period:], words, strict=False):
            equal = equal + 1 if word == earlier else 0
            longest = max(longest, equal // period + 1)
    return longest


def has_unusual_length(source: str, target: str) -> bool:
    """Tell whether a translation is much shorter or longer than its source makes likely."""
    if len(source) < _FEWEST_CHARACTERS:
        return len(target) > _LONGEST * _FEWEST_CHARACTERS
    return not _SHORTEST <= len(target) / len(source) <= _LONGEST


def is_copied(source: str, target: str) -> bool:
    """Tell whether most words of a translation, in their order, are those of its source.

    >>> is_copied("The file is not there", "The file is not there")
    True
    """
    words, copied = _words(source), _words(target)
    if len(words) < _FEWEST_WORDS:
        return False
    # Pairs, so that the same words in another order are no copy.
    pairs, there = (Counter(pairwise(w)) for w in (words, copied))
    return (pairs & there).total() >= _MOST_COPIED * max(pairs.total(), there.total())


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text) if word.isalpha()]


def has_wrong_script(source: str, target: str, language: str) -> bool:
    """Tell whether most letters of a translation are of no script of its language.

    Letters that are in the source as well are those of names.

    >>> has_wrong_script("Good morning", "Доброе утро", "fr")
    True
    """
    scripts = _SCRIPTS.get(language.partition("-")[0].lower())
    letters = [letter for letter in target if letter.isalpha() and letter not in source]
    if scripts is None or len(letters) < _FEWEST_WORDS:
        return False
    expected = tuple(scripts.split())
    foreign = sum(not unicodedata.name(letter, "").startswith(expected) for letter in letters)
    return 2 * foreign > len(letters)


def missing_numbers(source: str, target: str) -> list[str]:
    """Return the numbers of a source that its translation lacks, however it groups digits.

    >>> missing_numbers("1,024 files of 2.5 MB and 7", "1 024 fichiers de 2,5 Mo")
    ['7']
    """
    there = Counter(map(_digits, _NUMBER.findall(target)))
    missing = []
    for number in _NUMBER.findall(source):
        digits = _digits(number)
        if there[digits] > 0:
            there[digits] -= 1
        elif digits not in _digits(target):
            missing.append(number)
    return missing


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit())
