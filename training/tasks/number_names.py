"""Writes the number-names task: digits in, the words that read them aloud out.

A text-to-text task that is no translation, in a corpus that anybody can make: ``1042`` becomes
``one thousand and forty-two``, ``2:35`` becomes ``twenty-five to three``, and ``3rd`` becomes
``third``. Speech synthesis needs it (it is called text normalisation there), every output is
plainly right or wrong, and a small model learns it in minutes.

    python training/tasks/number_names.py FOLDER

writes ``train.jsonl``, ``valid.jsonl`` and ``test.jsonl`` with the fields ``written`` and
``spoken``; nothing written stands in two of them.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable
from pathlib import Path

SIZES = {"train": 20_000, "valid": 200, "test": 500}
"""Lines of each part."""

_SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth",
    "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip
_SCALES = ((1_000_000, "million"), (1_000, "thousand"), (100, "hundred"))


def cardinal(number: int) -> str:
    """Return the name of a number below a thousand million.

    >>> cardinal(1042), cardinal(300_000), cardinal(21)
    ('one thousand and forty-two', 'three hundred thousand', 'twenty-one')
    """
    if number < 20:
        return _SMALL[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens - 2] + (f"-{_SMALL[ones]}" if ones else "")
    size, name = next((size, name) for size, name in _SCALES if number >= size)
    count, rest = divmod(number, size)
    joint = " and " if rest < 100 else " "
    return f"{cardinal(count)} {name}" + (f"{joint}{cardinal(rest)}" if rest else "")


def ordinal(number: int) -> str:
    """Return the name of a place in an order.

    >>> ordinal(1), ordinal(112), ordinal(20)
    ('first', 'one hundred and twelfth', 'twentieth')
    """
    name = cardinal(number)
    last = name.replace("-", " ").split()[-1]
    head = name.removesuffix(last)
    if last in _ORDINALS:
        return head + _ORDINALS[last]
    return head + (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")


def clock(hour: int, minute: int) -> str:
    """Return how a time of day is said.

    >>> clock(2, 35), clock(12, 45), clock(7, 0), clock(9, 30)
    ('twenty-five to three', 'quarter to one', "seven o'clock", 'half past nine')
    """
    minutes = {15: "quarter", 30: "half"}
    if minute == 0:
        return f"{cardinal(hour)} o'clock"
    if minute <= 30:
        return f"{minutes.get(minute) or cardinal(minute)} past {cardinal(hour)}"
    left = 60 - minute
    return f"{minutes.get(left) or cardinal(left)} to {cardinal(hour % 12 + 1)}"


def _ending(number: int) -> str:
    """Return the letters that make written digits an ordinal."""
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _draw_cardinal(chance: random.Random) -> tuple[str, str]:
    number = chance.randrange(10 ** chance.randint(1, 7))
    written = f"{number:,}" if chance.random() < 0.5 else str(number)
    return written, cardinal(number)


def _draw_ordinal(chance: random.Random) -> tuple[str, str]:
    number = chance.randrange(1, 10 ** chance.randint(1, 4))
    return f"{number}{_ending(number)}", ordinal(number)


def _draw_clock(chance: random.Random) -> tuple[str, str]:
    hour, minute = chance.randint(1, 12), chance.randrange(60)
    return f"{hour}:{minute:02}", clock(hour, minute)


def _draw_decimal(chance: random.Random) -> tuple[str, str]:
    whole, digits = chance.randrange(1000), f"{chance.randrange(1000)}"
    return (
        f"{whole}.{digits}",
        f"{cardinal(whole)} point {' '.join(_SMALL[int(d)] for d in digits)}",
    )


_KINDS: tuple[Callable[[random.Random], tuple[str, str]], ...] = (
    _draw_cardinal, _draw_cardinal, _draw_ordinal, _draw_clock, _draw_decimal,
)  # fmt: skip


def pairs(count: int, *, seed: int) -> dict[str, str]:
    """Return so many different things written, with how they are spoken.

    Args:
        count: How many.
        seed: The same seed gives the same pairs.
    """
    chance = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        written, spoken = chance.choice(_KINDS)(chance)
        found[written] = spoken
    return found


def write(folder: Path, *, seed: int = 1) -> None:
    """Write the three parts of the task into a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    found = iter(pairs(sum(SIZES.values()), seed=seed).items())
    for name, size in SIZES.items():
        with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            for _ in range(size):
                written, spoken = next(found)
                file.write(json.dumps({"written": written, "spoken": spoken}) + "\n")


def main() -> None:
    """Read the command line and write the task."""
    parser = argparse.ArgumentParser(description="Write the number-names task as JSONL files.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    write(options.folder, seed=options.seed)


if __name__ == "__main__":
    main()
