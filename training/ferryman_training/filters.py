"""Filters: which pairs are no good to learn from, and a report of what was dropped and why."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

from ferryman_training.corpus import SentencePair
from ferryman_training.corpus_config import FilterConfig

_DIGITS = re.compile(r"\d+")


class Fault(StrEnum):
    """Why a pair is dropped."""

    BLANK = "a side is blank"
    SHORT = "a side has too few words"
    LONG = "a side has too many words"
    RATIO = "one side is much longer than the other"
    IDENTICAL = "both sides are the same"
    NUMBERS = "the numbers differ"
    DUPLICATE = "it came before"
    TOKENS = "a side has no tokens or too many"


def find_fault(pair: SentencePair, filters: FilterConfig) -> Fault | None:
    """Return the first fault of a pair that can be seen without the other pairs, if it has any."""
    return next((fault for fault, has in _CHECKS.items() if has(pair, filters)), None)


def _too_short(pair: SentencePair, filters: FilterConfig) -> bool:
    least = filters.min_words
    return least > 0 and min(len(pair.source.split()), len(pair.target.split())) < least


def _too_long(pair: SentencePair, filters: FilterConfig) -> bool:
    most = filters.max_words
    return most > 0 and max(len(pair.source.split()), len(pair.target.split())) > most


def _unequal(pair: SentencePair, filters: FilterConfig) -> bool:
    shorter, longer = sorted((len(pair.source.strip()), len(pair.target.strip())))
    return filters.max_ratio > 0 and longer > filters.max_ratio * shorter


_CHECKS: Final[dict[Fault, Callable[[SentencePair, FilterConfig], bool]]] = {
    Fault.BLANK: lambda pair, filters: filters.blank and pair.has_blank_side,
    Fault.SHORT: _too_short,
    Fault.LONG: _too_long,
    Fault.RATIO: _unequal,
    Fault.IDENTICAL: lambda pair, filters: (
        filters.identical and pair.source.split() == pair.target.split()
    ),
    Fault.NUMBERS: lambda pair, filters: filters.numbers and not same_numbers(pair),
}


def same_numbers(pair: SentencePair) -> bool:
    """Tell whether both sides hold the same digits.

    Languages write a number in different ways, so either is enough: the same runs of digits in any
    order (``3.5`` and ``3,5``; two numbers in another order), or the same digits in the same order
    (``10,000`` and ``10000``). Digits of all scripts count by their value.

    >>> same_numbers(SentencePair("10,000 of 25", "25 sur 10 000"))
    True
    >>> same_numbers(SentencePair("room 12", "chambre 21"))
    False
    """
    source, target = _DIGITS.findall(pair.source), _DIGITS.findall(pair.target)
    if source == target:
        return True
    source, target = ([_in_ascii(run) for run in runs] for runs in (source, target))
    return sorted(source) == sorted(target) or "".join(source) == "".join(target)


def _in_ascii(digits: str) -> str:
    return "".join(str(unicodedata.decimal(digit)) for digit in digits)


@dataclass(frozen=True, slots=True)
class Example:
    """One of the pairs that were dropped for a fault."""

    part: int
    """Of the corpus, from 0."""
    line: int
    """Of its file, from 1."""
    source: str
    target: str


@dataclass(slots=True)
class DropReport:
    """How many pairs were read, and how many of them dropped for which fault."""

    read: int = 0
    dropped: dict[Fault, int] = field(default_factory=dict)
    examples: dict[Fault, Example] = field(default_factory=dict)
    """The first pair of each fault."""

    @property
    def total(self) -> int:
        """Pairs dropped."""
        return sum(self.dropped.values())

    def drop(self, fault: Fault, pair: SentencePair, *, part: int, line: int) -> None:
        """Count a pair that is dropped."""
        self.dropped[fault] = self.dropped.get(fault, 0) + 1
        if fault not in self.examples:
            self.examples[fault] = Example(part, line, pair.source, pair.target)

    def with_later(self, later: DropReport) -> DropReport:
        """Return this report together with that of a later stage, which read what this kept."""
        return DropReport(
            self.read, {**self.dropped, **later.dropped}, {**self.examples, **later.examples}
        )

    def counts(self) -> str:
        """Return the faults with how many pairs have each, for a message."""
        return ", ".join(f"{fault}: {count:,}" for fault, count in self.dropped.items())

    def as_document(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        return {
            "read": self.read,
            "dropped": [
                {"why": str(fault), "pairs": count, "example": asdict(self.examples[fault])}
                for fault, count in self.dropped.items()
            ],
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """Read back what `as_document` gave."""
        entries = {Fault(entry["why"]): entry for entry in document["dropped"]}
        return cls(
            document["read"],
            {fault: entry["pairs"] for fault, entry in entries.items()},
            {fault: Example(**entry["example"]) for fault, entry in entries.items()},
        )
