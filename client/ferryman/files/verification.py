"""Checking an output against its input: as many units, blank where it was, and placeholders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from ferryman.files.placeholders import placeholders_of
from ferryman.files.units import Format, Unit


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Something in which an output does not fit its input."""

    unit: int
    """Number of the unit, from 1."""
    what: str
    """What does not fit."""


def discrepancies(format_: Format, source: Path, output: Path) -> Iterator[Discrepancy]:
    """Yield what does not fit; a unit that has failed is among it.

    Args:
        format_: Of the input.
        source: The input.
        output: What was made of it.
    """
    with (
        closing(format_.units(source)) as units,
        closing(format_.translated_units(output)) as translated,
    ):
        for number, (before, after) in enumerate(zip_longest(units, translated), 1):
            if before is None or after is None:
                rest = 1 + sum(1 for _ in units) + sum(1 for _ in translated)
                side = "output" if before is None else "input"
                yield Discrepancy(number, f"from here on only the {side} has {rest} units")
                return
            yield from (Discrepancy(number, what) for what in _faults(before, after))


def _faults(before: Unit, after: Unit) -> Iterator[str]:
    source, target = before.text or "", after.text or ""
    if before.fault is not None:
        yield f"it could not be read: {before.fault.message}"
    elif before.text is not None and not before.sent and source != target:
        yield "it was blank, and is no longer as it was"
    elif before.sent and not after.sent:
        yield "it has no translation"
    elif before.sent:
        missing = placeholders_of(source) - placeholders_of(target)
        added = placeholders_of(target) - placeholders_of(source)
        if missing:
            yield f"lost {_listed(missing)}"
        if added:
            yield f"made up {_listed(added)}"


def _listed(found: Counter[str]) -> str:
    return ", ".join(f"{each} ({n} times)" if n > 1 else each for each, n in found.items())
