"""What goes into the engine and what comes out of it. The engine speaks token ids only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FinishReason(StrEnum):
    """Why a hypothesis ends where it ends."""

    EOS = "eos"
    """The model ended the sentence."""
    MAX_TOKENS = "max_tokens"
    """The sentence reached its length limit and was cut there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How to look for the best target of one source.

    Raises:
        ValueError: A field is out of its range; the message names all that are.
    """

    max_tokens: int
    """The most tokens to generate, the end of the sentence included."""
    min_tokens: int = 0
    """The fewest tokens to generate before the end of the sentence may come."""
    beam_size: int = 1
    """Hypotheses kept at every step; 1 is greedy search."""
    num_hypotheses: int = 1
    """How many of the finished hypotheses to return, at most ``beam_size``."""
    length_penalty: float = 1.0
    """Exponent p of score = log_prob / length ** p; 0 compares plain sums, which favours short."""

    def __post_init__(self) -> None:
        faults = []
        if self.max_tokens < 1:
            faults.append(f"max_tokens must be at least 1, but is {self.max_tokens}")
        if not 0 <= self.min_tokens < max(self.max_tokens, 1):
            faults.append(
                f"min_tokens must be at least 0 and below max_tokens ({self.max_tokens}), "
                f"but is {self.min_tokens}"
            )
        if self.beam_size < 1:
            faults.append(f"beam_size must be at least 1, but is {self.beam_size}")
        if not 1 <= self.num_hypotheses <= max(self.beam_size, 1):
            faults.append(
                f"num_hypotheses must be between 1 and beam_size ({self.beam_size}), "
                f"but is {self.num_hypotheses}"
            )
        if not 0.0 <= self.length_penalty <= 10.0:
            faults.append(f"length_penalty must be between 0 and 10, but is {self.length_penalty}")
        if faults:
            raise ValueError("; ".join(faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One sentence to translate."""

    source: tuple[int, ...]
    """Token ids of the source, without the end of the sentence."""
    search: Search
    deadline: float | None = None
    """The moment on `time.monotonic`'s clock after which the answer is of no use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """One target sentence and how likely the model finds it."""

    ids: tuple[int, ...]
    """Token ids, without the end of the sentence."""
    token_log_probs: tuple[float, ...]
    """Log-probability of every token, and of the end where the model chose to end."""
    log_prob: float
    """The sum of ``token_log_probs``."""
    score: float
    """``log_prob / len(token_log_probs) ** length_penalty``; what hypotheses are ranked by."""
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
