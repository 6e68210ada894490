"""Which attempt at a sentence comes after which.

    Plain  --a span is lost-->  Bound  --still lost-->  Piecewise
    Plain or Bound  --a term is missing-->  Termed, and the better of the two is kept
    Plain or Bound  --looks wrong-->  Second, and the better of the two is kept

`Bound` needs the whole next-token distribution, for which a model may lack the graph; and no search
helps a model whose vocabulary has no reserved pieces. Such a sentence goes to `Piecewise` at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ferryman_server.glossary.terms import has_term
from ferryman_server.rounds.attempt import (
    Attempt,
    Bound,
    Piecewise,
    Plain,
    Second,
    Termed,
    reserved_ids,
)
from ferryman_server.rounds.task import Outcome, Task
from ferryman_server.suspicion.signals import WORTH_ANOTHER_TRY, doubts


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What may be done with a sentence."""

    can_bind: bool = True
    """Whether a search can be made to have tokens."""
    is_final: bool = False
    """Whether the first attempt is the answer, whatever comes of it: somebody reads it already."""
    second_try: bool = False
    """Whether what looks wrong is searched for once more."""


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
    if conditions.is_final or isinstance(attempt, Second | Termed):
        return None
    is_whole = outcome.keeps_spans and not outcome.is_piecewise
    if is_whole and outcome.missing_terms and conditions.can_bind and _can_carry(attempt.task):
        # All of them: what was there by itself need not be there again.
        return Termed(attempt.task, attempt.task.terms)
    if outcome.keeps_spans:
        return _second(attempt, outcome) if conditions.second_try else None
    match attempt:
        case Plain(task) if conditions.can_bind and _can_carry(task):
            return Bound(task)
        # What a caller wants a translation to start with need not be at the start of any piece.
        case Plain(task) | Bound(task) if not task.prefix:
            return Piecewise(task)
    return None


def better(first: Outcome | None, later: Outcome) -> Outcome:
    """Return the outcome to keep: a second try must have less to doubt, and all spans."""
    if first is not None and first.missing_terms and not later.is_second:
        # The translation that has its terms must have all else as well.
        fewer = len(later.missing_terms) < len(first.missing_terms)
        return later if fewer and later.keeps_spans else first
    if first is None or not later.is_second:
        return later
    has_less = len(later.doubts & WORTH_ANOTHER_TRY) < len(first.doubts & WORTH_ANOTHER_TRY)
    return later if has_less and later.keeps_spans else first


def doubted(task: Task, outcome: Outcome) -> Outcome:
    """Return an outcome with what looks wrong about it."""
    best = outcome.candidates[0]
    found = doubts(task.text, best.text, best.finish_reason, languages=task.languages)
    missing = tuple(
        term for term in task.terms if not has_term(best.text, term.term.target, task.languages[1])
    )
    return replace(outcome, doubts=frozenset(found), terms=task.terms, missing_terms=missing)


def _second(attempt: Attempt, outcome: Outcome) -> Attempt | None:
    match attempt:
        case Plain(task) | Bound(task) if outcome.doubts & WORTH_ANOTHER_TRY:
            # What was drawn at random, or asked for token by token, is as its caller wants it.
            is_search = task.options.sampling is None and not task.options.alternatives
            return Second(task, outcome.doubts) if is_search else None
    return None


def _can_carry(task: Task) -> bool:
    """Tell whether the vocabulary has a piece for every span of a sentence."""
    shield = task.sentence.shield
    characters = {one.character for one in shield.carried} if shield is not None else set()
    return characters <= reserved_ids(task.model.tokenizer).keys()
