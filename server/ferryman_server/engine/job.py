"""What goes into the engine and what comes out of it. The engine speaks token ids only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from ferryman_server.engine.search_options import Search

__all__ = ["FinishReason", "Hypothesis", "Job", "Listener", "Priority", "Result", "Search"]

Listener = Callable[[tuple[int, ...]], None]
"""Told of the tokens that a target goes on with, in the engine's thread: it must return at once."""


class FinishReason(StrEnum):
    """Why a hypothesis ends where it ends."""

    EOS = "eos"
    """The model ended the sentence."""
    MAX_TOKENS = "max_tokens"
    """The sentence reached its length limit and was cut there, or no token was allowed to come."""
    LOOP_GUARD = "loop_guard"
    """The model had begun to repeat itself and was cut there."""


class Priority(IntEnum):
    """Whom to decode first."""

    LOW = 0
    """Nobody waits for the answer."""
    NORMAL = 1
    HIGH = 2
    """Somebody looks at the screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One sentence to translate."""

    source: tuple[int, ...]
    """Token ids of the source, without the end of the sentence."""
    search: Search
    deadline: float | None = None
    """The moment on `time.monotonic`'s clock after which the answer is of no use."""
    priority: Priority = field(default=Priority.NORMAL, compare=False)
    client: str = field(default="", compare=False)
    """Who asks; those who wait are served in turns, client by client."""
    listener: Listener | None = field(default=None, compare=False)
    """Gets the tokens of the best hypothesis as soon as no later step can take them back. All that
    it is ever given, one after the other, is the ``ids`` of the first hypothesis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """One target sentence and how likely the model finds it."""

    ids: tuple[int, ...]
    """Token ids, without the end of the sentence."""
    token_log_probs: tuple[float, ...]
    """The model's log-probability of every token, and of the end where it chose to end."""
    log_prob: float
    """The sum of ``token_log_probs``."""
    score: float
    """What hypotheses are ranked by: `Search.score` of ``log_prob`` as the search's own penalties
    have changed it, and the coverage penalty added."""
    finish_reason: FinishReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The answer to one `Job`."""

    hypotheses: tuple[Hypothesis, ...]
    """``num_hypotheses`` of them, best first; fewer only where the model allows fewer."""
    queue_seconds: float
    """From `submit` to joining a running batch."""
    decode_seconds: float
    """From joining a running batch to the last token."""
    steps: int
    """Decoder steps the sentence took part in."""
    first_token_seconds: float = 0.0
    """From `submit` to the first token."""
