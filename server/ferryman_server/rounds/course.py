"""Which attempt at a sentence comes after which.

    Plain  --a span is lost-->  Bound  --still lost-->  Piecewise

`Bound` needs the whole next-token distribution, for which a model may lack the graph; and no search
helps a model whose vocabulary has no reserved pieces. Such a sentence goes to `Piecewise` at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from ferryman_server.rounds.attempt import (
    Attempt,
    Bound,
    Outcome,
    Piecewise,
    Plain,
    Task,
    reserved_ids,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What may be done with a sentence."""

    can_bind: bool = True
    """Whether a search can be made to have tokens."""
    is_final: bool = False
    """Whether the first attempt is the answer, whatever comes of it: somebody reads it already."""


def first_attempt(task: Task, conditions: Conditions) -> Attempt:
    """Return the attempt to begin with."""
    if task.sentence.shield is None:
        return Plain(task)
    can_carry = _can_carry(task)
    if conditions.is_final:
        return Bound(task) if can_carry and conditions.can_bind else Plain(task)
    return Plain(task) if can_carry or task.prefix else Piecewise(task)


def next_attempt(attempt: Attempt, outcome: Outcome, conditions: Conditions) -> Attempt | None:
    """Return what to try after an attempt; None where its outcome is the answer."""
    if conditions.is_final or outcome.keeps_spans:
        return None
    match attempt:
        case Plain(task) if conditions.can_bind and _can_carry(task):
            return Bound(task)
        # What a caller wants a translation to start with need not be at the start of any piece.
        case Plain(task) | Bound(task) if not task.prefix:
            return Piecewise(task)
    return None


def _can_carry(task: Task) -> bool:
    """Tell whether the vocabulary has a piece for every span of a sentence."""
    shield = task.sentence.shield
    characters = {one.character for one in shield.carried} if shield is not None else set()
    return characters <= reserved_ids(task.model.tokenizer).keys()
