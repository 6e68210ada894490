"""The course of a run, read back from its log."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ferryman_training.errors import CheckpointError

LOG: Final = "log.jsonl"


@dataclass(frozen=True, slots=True)
class Series:
    """One figure over the updates of a run."""

    steps: Sequence[int]
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class History:
    """What a log says of a run, each update once."""

    name: str
    updates: dict[str, Series]
    """By the names of the fields of ``update`` events: loss, learning_rate, ..."""
    validations: dict[str, Series]
    """By the names of the fields of ``validation`` events: loss, bleu, ..."""
    skipped: Sequence[int]
    """The updates that came to nothing."""
    rollbacks: Sequence[int]
    """Where the run went back to earlier weights."""


def read_history(run: Path) -> History:
    """Read the log of a run.

    Args:
        run: Its directory.

    Raises:
        CheckpointError: There is no log, it cannot be read, or no update is in it.
    """
    path = run / LOG
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
    events = _once(_events(lines))
    history = History(
        name=run.resolve().name,
        updates=_series(events, "update"),
        validations=_series(events, "validation"),
        skipped=[event["step"] for event in events if event["event"] == "skip"],
        rollbacks=[event["step"] for event in events if event["event"] == "rollback"],
    )
    if "loss" not in history.updates:
        raise CheckpointError(f"{path}: there is no update in it yet")
    return history


def _events(lines: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield what can be read; a process that was killed may have left half a line."""
    for line in lines:
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(event, dict) and "event" in event:
            yield event


def _once(events: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """Drop what was done again: after a start, all that was logged of later updates before it."""
    kept: list[dict[str, Any]] = []
    for event in events:
        if event["event"] == "start":
            kept = [earlier for earlier in kept if earlier.get("step", 0) <= event["step"]]
        kept.append(event)
    return kept


def _series(events: Sequence[dict[str, Any]], kind: str) -> dict[str, Series]:
    points: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for event in events:
        if event["event"] == kind:
            for name, value in event.items():
                if name not in ("step", "time") and isinstance(value, int | float):
                    points[name].append((event["step"], value))
    return {
        name: Series([step for step, _ in found], [value for _, value in found])
        for name, found in points.items()
    }
