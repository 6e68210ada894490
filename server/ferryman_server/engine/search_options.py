"""How to look for the target of one source: every option of a search, and what each asks for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_MOST_CANDIDATES: Final = 64
"""Tokens to draw from, and sequences to suppress, with which the fast tail is still the cheaper."""
_MOST_SEED: Final = (1 << 64) - 1


class LengthPenalty(StrEnum):
    """How a hypothesis of n tokens is normalised by its length; p is `Search.length_penalty`."""

    EXPONENT = "exponent"
    """log-probability / n ** p."""
    GNMT = "gnmt"
    """log-probability / ((5 + n) / 6) ** p: Wu et al. 2016, https://arxiv.org/abs/1609.08144,
    equation 14."""


class Tail(StrEnum):
    """What the end of a step returns of the next-token distribution."""

    FAST = "fast"
    """The best candidates of each hypothesis, with exact log-probabilities."""
    FULL = "full"
    """The log-probability of every token."""
    SHORTLIST = "shortlist"
    """The best candidates of each hypothesis among the tokens that its source calls for, with
    log-probabilities as if there were no other tokens."""


def normalise_by_length(
    log_prob: float, length: int, strength: float, kind: LengthPenalty
) -> float:
    """Return a log-probability normalised by the number of tokens that it is the sum of."""
    base = (5 + length) / 6 if kind is LengthPenalty.GNMT else length
    return log_prob / math.pow(base, strength)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How to draw tokens at random.

    The filters follow each other in the order of the fields, each on what the one before left, and
    what is left in the end is drawn from by its probability.
    """

    seed: int
    """The same seed gives the same draws, whatever else the engine decodes."""
    temperature: float = 1.0
    """Divides the log-probabilities: below 1 sharpens, above 1 flattens."""
    top_k: int = 0
    """Only the k likeliest tokens (Fan et al. 2018, https://arxiv.org/abs/1805.04833); 0: all."""
    top_p: float = 1.0
    """Only the fewest tokens whose probabilities add up to this, the nucleus (Holtzman et al. 2020,
    https://arxiv.org/abs/1904.09751); 1: all."""
    min_p: float = 0.0
    """Only tokens of at least this share of the likeliest one's probability (Nguyen et al. 2024,
    https://arxiv.org/abs/2407.01082); 0: all."""

    def faults(self) -> Iterator[str]:
        """Yield what is out of range."""
        if not 0 <= self.seed <= _MOST_SEED:
            yield f"sampling.seed must be between 0 and {_MOST_SEED}, but is {self.seed}"
        if not 0.0 < self.temperature <= 100.0:
            yield f"sampling.temperature must be above 0 and at most 100, but is {self.temperature}"
        if self.top_k < 0:
            yield f"sampling.top_k must be at least 0, but is {self.top_k}"
        if not 0.0 < self.top_p <= 1.0:
            yield f"sampling.top_p must be above 0 and at most 1, but is {self.top_p}"
        if not 0.0 <= self.min_p <= 1.0:
            yield f"sampling.min_p must be between 0 and 1, but is {self.min_p}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How to look for the best target of one source.

    Raises:
        ValueError: Fields are out of range or contradict each other; the message names them all.
    """

    max_tokens: int
    """The most tokens to generate, the end of the sentence included."""
    min_tokens: int = 0
    """The fewest tokens to generate before the end of the sentence may come."""
    beam_size: int = 1
    """Hypotheses kept at every step; 1 is greedy search."""
    num_hypotheses: int = 1
    """How many of the finished hypotheses to return: at most ``beam_size``, but with `sampling` the
    number of samples, and with `alternatives` at most as many as those."""
    length_penalty: float = 1.0
    """Strength of the normalisation by length; 0 compares plain sums, which favours short."""
    length_penalty_kind: LengthPenalty = LengthPenalty.EXPONENT
    coverage_penalty: float = 0.0
    """Weight of the coverage penalty (Wu et al. 2016, equation 14) in the order of those that have
    finished; 0: none."""
    patience: float = 1.0
    """The search ends at ``beam_size * patience`` finished hypotheses, rounded (Kasai et al. 2022,
    https://arxiv.org/abs/2204.05424)."""
    early_stopping: bool = False
    """End at so many finished hypotheses even if one that goes on scores better."""
    groups: int = 1
    """Groups that the beam is divided into, which avoid each other's tokens (Vijayakumar et al.
    2016, https://arxiv.org/abs/1610.02424)."""
    diversity: float = 0.0
    """What a token loses for every earlier group's hypothesis that has chosen it at this step."""
    sampling: Sampling | None = None
    """Draw ``num_hypotheses`` targets at random instead of searching for the likeliest."""
    alternatives: int = 0
    """Go on, greedily, from each of this many likeliest tokens after the prefix; 0: off."""
    repetition_penalty: float = 1.0
    """Multiplies the log-probability of tokens that the hypothesis already has (Keskar et al. 2019,
    https://arxiv.org/abs/1909.05858, section 4.1, of log-probabilities instead of logits); 1: off.
    """
    no_repeat_ngram: int = 0
    """No sequence of this many tokens occurs twice in a hypothesis; 0: off."""
    suppressed: tuple[tuple[int, ...], ...] = ()
    """Sequences of tokens that no hypothesis may contain."""
    prefix: tuple[int, ...] = ()
    """What the target starts with."""
    prefix_bias: float | None = None
    """None forces the prefix. Else the weight, from 0 to 1, by which a hypothesis that has followed
    the prefix so far is drawn to its next token (Arivazhagan et al. 2020,
    https://arxiv.org/abs/2004.03643, equation 4)."""
    forced: tuple[tuple[int, int], ...] = ()
    """Tokens that must come at some place: pairs of place, from 0, and token."""
    required: tuple[tuple[int, ...], ...] = ()
    """Tokens that the target must have before it ends, each exactly once, those of one chain in its
    order. A target that reaches its length limit has them; one cut in a loop may lack some."""
    loop_tokens: int = 0
    """A hypothesis that ends with so many tokens of one short sequence over and over is cut; see
    `loops`. 0: off."""
    shortlist: bool = False
    """Choose among the tokens that the source calls for only, which is faster. What needs the full
    distribution has it all the same, and takes no notice of this."""

    def __post_init__(self) -> None:
        faults = [
            *self._length_faults(),
            *self._beam_faults(),
            *self._rows_faults(),
            *self._token_faults(),
        ]
        if faults:
            raise ValueError("; ".join(faults))

    @property
    def rows(self) -> int:
        """Hypotheses that are under way at a time."""
        if self.sampling is not None:
            return self.num_hypotheses
        return self.alternatives or self.beam_size

    @property
    def enough(self) -> int:
        """Finished hypotheses that end the search."""
        return max(1, round(self.beam_size * self.patience))

    @property
    def is_plain(self) -> bool:
        """Whether only log-probabilities and lengths decide: plain greedy or plain beam search."""
        return (
            self.sampling is None
            and not self.alternatives
            and self.groups == 1
            and self.repetition_penalty == 1.0
            and not self.no_repeat_ngram
            and not self.suppressed
            and not self.prefix
            and not self.forced
            and not self.required
        )

    @property
    def full_tail_options(self) -> tuple[str, ...]:
        """Names of the options in use for which the best candidates are not enough."""
        sampling = self.sampling
        needs = {
            # The nucleus, and the sum of all weights, may need any number of tokens.
            "sampling": sampling is not None and not 1 <= sampling.top_k <= _MOST_CANDIDATES,
            # Any number of the best candidates may be there already.
            "repetition_penalty": self.repetition_penalty != 1.0,
            "suppressed": len(self.suppressed) > _MOST_CANDIDATES,
            # The token may be the unlikeliest of all.
            "prefix": bool(self.prefix),
            "forced": bool(self.forced),
            "required": bool(self.required),
        }
        return tuple(name for name, is_needed in needs.items() if is_needed)

    @property
    def tail(self) -> Tail:
        """The cheapest tail that is exact for this search."""
        if self.full_tail_options:
            return Tail.FULL
        return Tail.SHORTLIST if self.shortlist else Tail.FAST

    def score(self, log_prob: float, length: int) -> float:
        """Return what a hypothesis is ranked by, coverage apart.

        Args:
            log_prob: The sum over its tokens, its end included.
            length: How many tokens that sum has.

        >>> Search(max_tokens=9).score(-6.0, 3)
        -2.0
        >>> Search(max_tokens=9, length_penalty_kind=LengthPenalty.GNMT).score(-6.0, 7)
        -3.0
        """
        return normalise_by_length(log_prob, length, self.length_penalty, self.length_penalty_kind)

    def _length_faults(self) -> Iterator[str]:
        if self.max_tokens < 1:
            yield f"max_tokens must be at least 1, but is {self.max_tokens}"
        if not 0 <= self.min_tokens < max(self.max_tokens, 1):
            yield (
                f"min_tokens must be at least 0 and below max_tokens ({self.max_tokens}), "
                f"but is {self.min_tokens}"
            )
        if not 0.0 <= self.length_penalty <= 10.0:
            yield f"length_penalty must be between 0 and 10, but is {self.length_penalty}"
        if not 0.0 <= self.coverage_penalty <= 10.0:
            yield f"coverage_penalty must be between 0 and 10, but is {self.coverage_penalty}"

    def _beam_faults(self) -> Iterator[str]:
        if self.beam_size < 1:
            yield f"beam_size must be at least 1, but is {self.beam_size}"
        if not 1.0 <= self.patience <= 100.0:
            yield f"patience must be between 1 and 100, but is {self.patience}"
        if self.patience > 1.0 and self.beam_size == 1:
            yield f"patience needs a beam, so it must be 1 with beam_size 1, but is {self.patience}"
        if self.groups < 1 or self.beam_size % max(self.groups, 1):
            yield f"groups must divide beam_size ({self.beam_size}), but is {self.groups}"
        if not 0.0 <= self.diversity <= 100.0:
            yield f"diversity must be between 0 and 100, but is {self.diversity}"

    def _rows_faults(self) -> Iterator[str]:
        """Yield what is wrong with hypotheses side by side: beam, samples or alternatives."""
        draws, branches = self.sampling is not None, self.alternatives > 0
        if self.sampling is not None:
            yield from self.sampling.faults()
        if self.alternatives < 0:
            yield f"alternatives must be at least 0, but is {self.alternatives}"
        if draws and branches:
            yield "sampling and alternatives exclude each other"
        if branches and self.prefix_bias is not None:
            yield "alternatives need a prefix that is forced, so prefix_bias must be None"
        if (draws or branches) and self.beam_size > 1:
            yield f"beam_size must be 1 with sampling or alternatives, but is {self.beam_size}"
        most, limit = self.rows, "alternatives" if branches else "beam_size"
        if self.num_hypotheses < 1 or self.num_hypotheses > max(most, 1):
            bound = "at least 1" if draws else f"between 1 and {limit} ({most})"
            yield f"num_hypotheses must be {bound}, but is {self.num_hypotheses}"

    def _token_faults(self) -> Iterator[str]:
        """Yield what is wrong with the rules for single tokens."""
        if not 0.0 < self.repetition_penalty <= 100.0:
            yield (
                "repetition_penalty must be above 0 and at most 100, "
                f"but is {self.repetition_penalty}"
            )
        if self.no_repeat_ngram < 0:
            yield f"no_repeat_ngram must be at least 0, but is {self.no_repeat_ngram}"
        if not all(self.suppressed):
            yield "suppressed must not contain an empty sequence"
        if len(self.prefix) >= max(self.max_tokens, 1):
            yield (
                f"prefix must be shorter than max_tokens ({self.max_tokens}), "
                f"but has {len(self.prefix)} tokens"
            )
        if self.prefix_bias is not None and not 0.0 <= self.prefix_bias <= 1.0:
            yield f"prefix_bias must be between 0 and 1, but is {self.prefix_bias}"
        places = [place for place, _ in self.forced]
        if places and (min(places) < 0 or max(places) >= self.max_tokens):
            yield f"forced must have places from 0 to max_tokens ({self.max_tokens}), exclusive"
        if len(set(places)) < len(places):
            yield "forced must name every place once"
        required = [token for chain in self.required for token in chain]
        if len(set(required)) < len(required) or not all(self.required):
            yield "required must name every token once, and have no empty chain"
        if len(required) >= max(self.max_tokens, 1):
            yield (
                f"required must have fewer tokens than max_tokens ({self.max_tokens}), "
                f"but has {len(required)}"
            )
        if self.loop_tokens < 0 or 0 < self.loop_tokens < 8:
            yield f"loop_tokens must be 0 or at least 8, but is {self.loop_tokens}"
