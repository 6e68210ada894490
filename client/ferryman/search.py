"""How to search for a translation: what a caller passes as ``search=``.

What is None has the model's own default, which `Client.models` shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum


class LengthPenalty(StrEnum):
    """How a hypothesis of n tokens is normalised by its length; p is `Beam.length_penalty`."""

    EXPONENT = "exponent"
    """log-probability / n ** p."""
    GNMT = "gnmt"
    """log-probability / ((5 + n) / 6) ** p: https://arxiv.org/abs/1609.08144, equation 14."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _TokenRules:
    """What every search can be told about the tokens of a translation.

    Raises:
        ValueError: A field is out of its range; the message names all that are.
    """

    max_tokens: int | None = None
    """Most tokens of a translated sentence."""
    min_tokens: int | None = None
    """Fewest tokens of a translated sentence."""
    max_length_ratio: float | None = None
    """Most tokens of a translated sentence for each token of its source."""
    min_length_ratio: float | None = None
    """Fewest tokens of a translated sentence for each token of its source."""
    repetition_penalty: float | None = None
    """Multiplies the log-probability of tokens that are there already; above 1 avoids them."""
    no_repeat_ngram_size: int | None = None
    """No sequence of this many tokens occurs twice in a translated sentence; 0: off."""
    suppress: Sequence[str] = ()
    """Words and phrases that are never generated."""
    loop_guard_tokens: int | None = None
    """Tokens of a short sequence over and over at which a sentence is cut; 0: never."""

    def __post_init__(self) -> None:
        """Check the range of every field."""
        faults = [*self._token_faults(), *self._own_faults()]
        if faults:
            raise ValueError("; ".join(faults))

    def _own_faults(self) -> Iterator[str]:
        """Yield what is wrong with the fields of this kind of search."""
        return iter(())

    def _token_faults(self) -> Iterator[str]:
        fewest, most = self.min_tokens, self.max_tokens
        if fewest is not None and fewest < 0:
            yield f"min_tokens is at least 0, not {fewest}"
        if most is not None and most < 1:
            yield f"max_tokens is at least 1, not {most}"
        if fewest is not None and most is not None and fewest > most:
            yield f"min_tokens {fewest} is more than max_tokens {most}"
        yield from _outside("max_length_ratio", self.max_length_ratio, 0, 100)
        yield from _outside("min_length_ratio", self.min_length_ratio, 0, 100)
        yield from _outside("repetition_penalty", self.repetition_penalty, 0.01, 100)
        if self.no_repeat_ngram_size is not None and self.no_repeat_ngram_size < 0:
            yield f"no_repeat_ngram_size is at least 0, not {self.no_repeat_ngram_size}"
        if isinstance(self.suppress, str) or not all(text.strip() for text in self.suppress):
            yield f"suppress is a list of texts that are not blank, not {self.suppress!r}"
        if self.loop_guard_tokens is not None and not (
            self.loop_guard_tokens == 0 or self.loop_guard_tokens >= 8
        ):
            yield f"loop_guard_tokens is 0 or at least 8, not {self.loop_guard_tokens}"


@dataclass(frozen=True, slots=True)
class Greedy(_TokenRules):
    """Take the most probable token at each step: the fastest search.

    >>> Greedy(max_tokens=100).max_tokens
    100
    """


@dataclass(frozen=True, slots=True)
class Beam(_TokenRules):
    """Keep the ``size`` most probable hypotheses at each step, and return the best.

    >>> Beam(4, num_hypotheses=2).size
    4
    """

    size: int = 4
    """Hypotheses that the search keeps."""
    num_hypotheses: int = 1
    """Hypotheses to return, best first; at most ``size``."""
    length_penalty: float | None = None
    """Strength of the normalisation by length; 0 ranks by plain sums, which favours short ones."""
    length_penalty_kind: LengthPenalty | None = None
    coverage_penalty: float | None = None
    """Strength of the penalty for words of the source that nothing attends to; 0: none."""
    patience: float | None = None
    """The search ends at ``size * patience`` finished hypotheses
    (https://arxiv.org/abs/2204.05424)."""
    early_stopping: bool | None = None
    """End at so many even if one that goes on is better."""
    groups: int | None = None
    """Groups that the beam is divided into, which avoid each other's tokens
    (https://arxiv.org/abs/1610.02424)."""
    diversity_penalty: float | None = None
    """What a token loses for every hypothesis of an earlier group that has it."""

    def _own_faults(self) -> Iterator[str]:
        if self.size < 1:
            yield f"a beam keeps at least one hypothesis, not {self.size}"
        if not 1 <= self.num_hypotheses <= max(self.size, 1):
            yield (
                f"a beam of {self.size} returns 1 to {self.size} hypotheses, "
                f"not {self.num_hypotheses}"
            )
        yield from _outside("length_penalty", self.length_penalty, 0, 10)
        yield from _outside("coverage_penalty", self.coverage_penalty, 0, 10)
        yield from _outside("patience", self.patience, 1, 100)
        yield from _outside("diversity_penalty", self.diversity_penalty, 0, 100)
        if self.groups is not None and (self.groups < 1 or self.size % self.groups):
            yield f"groups divide the size of the beam, {self.size}, which {self.groups} does not"


@dataclass(frozen=True, slots=True)
class Sampling(_TokenRules):
    """Draw translations at random.

    The same seed, text, options and model give the same translation, whatever the server decodes
    besides. The filters apply in the order temperature, top_k, top_p, min_p.

    >>> Sampling(seed=7, top_p=0.9, num_hypotheses=3).seed
    7
    """

    seed: int | None = None
    """None: the server chooses one."""
    num_hypotheses: int = 1
    """Translations to draw; they are returned best first."""
    temperature: float | None = None
    """Below 1 the probable becomes more probable, above 1 less."""
    top_k: int | None = None
    """Draw among the k most probable tokens only; 0: among all."""
    top_p: float | None = None
    """Draw among the fewest tokens whose probabilities add up to this; 1: among all."""
    min_p: float | None = None
    """Draw among tokens of at least this share of the greatest probability; 0: among all."""

    def _own_faults(self) -> Iterator[str]:
        if self.num_hypotheses < 1:
            yield f"num_hypotheses is at least 1, not {self.num_hypotheses}"
        if self.seed is not None and not 0 <= self.seed < 1 << 64:
            yield f"a seed is from 0 to 2 ** 64 - 1, not {self.seed}"
        if self.top_k is not None and self.top_k < 0:
            yield f"top_k is at least 0, not {self.top_k}"
        yield from _outside("temperature", self.temperature, 0.01, 100)
        yield from _outside("top_p", self.top_p, 0.001, 1)
        yield from _outside("min_p", self.min_p, 0, 1)


Search = Greedy | Beam | Sampling
"""What ``search=`` accepts."""


def _outside(name: str, value: float | None, least: float, most: float) -> Iterator[str]:
    """Yield a fault if a number is set and not within its range."""
    if value is not None and not least <= value <= most:
        yield f"{name} is from {least} to {most}, not {value}"
