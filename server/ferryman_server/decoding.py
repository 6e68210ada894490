"""From the options of a request to the search of each of its sentences."""

from __future__ import annotations

import hashlib
import math
import secrets
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from ferryman_bundle.manifest import Manifest
from ferryman_server.engine import LengthPenalty, Sampling, Search, normalise_by_length
from ferryman_server.errors import Fault, InvalidRequestError
from ferryman_server.request import DecodingOptions, SamplingOptions

T = TypeVar("T")
_LOOP_TOKENS: Final = 32
"""Longer than what people repeat on purpose, and soon enough for those who wait."""
_SEED_BITS: Final = 53
"""Of a seed that the server chooses: JSON and JavaScript can repeat it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedOptions:
    """How a request is really decoded: its own options, and the model's where it has none."""

    beam_size: int
    num_hypotheses: int
    length_penalty: float
    min_tokens: int
    """Without the end of the sentence."""
    max_tokens: int
    """The end of the sentence counted, if it comes within them."""
    max_length_ratio: float
    max_length_offset: int
    min_length_ratio: float = 0.0
    length_penalty_kind: LengthPenalty = LengthPenalty.EXPONENT
    patience: float = 1.0
    early_stopping: bool = False
    use_shortlist: bool = False
    coverage_penalty: float = 0.0
    beam_groups: int = 1
    diversity_penalty: float = 0.0
    sampling: Sampling | None = None
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    suppress: tuple[str, ...] = ()
    prefix_bias: float | None = None
    loop_guard_tokens: int = _LOOP_TOKENS
    alternatives: int = 0

    def search(
        self,
        source_tokens: int,
        *,
        number: int = 0,
        prefix: tuple[int, ...] = (),
        suppressed: tuple[tuple[int, ...], ...] = (),
        required: tuple[tuple[int, ...], ...] = (),
    ) -> Search:
        """Return the search for one sentence.

        The length limit grows with the source, so that a model that repeats itself is cut short
        long before its own limit. The least length gives way where the two contradict each other,
        and both to a prefix.

        Args:
            source_tokens: Length of the sentence, without its end.
            number: Of the sentence in its text. Only the first has alternatives.
            prefix: Tokens that its translation starts with.
            suppressed: Sequences of tokens that it may not contain.
            required: Chains of tokens that it must contain; it may be as long as they take.
        """
        grown = math.floor(source_tokens * self.max_length_ratio) + self.max_length_offset
        bound = len(prefix) + sum(map(len, required))
        most = max(1, min(self.max_tokens, grown), bound + 1)
        least = max(self.min_tokens, math.floor(source_tokens * self.min_length_ratio))
        alternatives = self.alternatives if number == 0 else 0
        return Search(
            beam_size=1 if alternatives else self.beam_size,
            # The sentences after one with alternatives have but one translation.
            num_hypotheses=1 if self.alternatives > alternatives else self.num_hypotheses,
            length_penalty=self.length_penalty,
            length_penalty_kind=self.length_penalty_kind,
            patience=self.patience,
            early_stopping=self.early_stopping,
            shortlist=self.use_shortlist,
            coverage_penalty=self.coverage_penalty,
            groups=self.beam_groups,
            diversity=self.diversity_penalty,
            sampling=None if self.sampling is None else _reseeded(self.sampling, number),
            alternatives=alternatives,
            repetition_penalty=self.repetition_penalty,
            no_repeat_ngram=self.no_repeat_ngram_size,
            suppressed=suppressed,
            required=required,
            prefix=prefix,
            prefix_bias=self.prefix_bias if prefix else None,
            loop_tokens=self.loop_guard_tokens,
            min_tokens=min(least, most - 1),
            max_tokens=most,
        )

    def score(self, log_prob: float, tokens: int) -> float:
        """Return what a text of several sentences is ranked by.

        Args:
            log_prob: The sum over its sentences.
            tokens: The sum over its sentences; 0 for a text without words.
        """
        return normalise_by_length(
            log_prob, max(tokens, 1), self.length_penalty, self.length_penalty_kind
        )


def apply_options(
    asked: DecodingOptions, manifest: Manifest, *, alternatives: int = 0
) -> AppliedOptions:
    """Complete the options of a request by the defaults of a model, within its limits.

    Args:
        asked: What the request sets. More hypotheses than the model's beam is wide widen the beam,
            unless the request sets that as well.
        manifest: The model's.
        alternatives: Most probable tokens after the prefix to go on from; 0 for the best alone.

    Raises:
        InvalidRequestError: The options contradict each other, or the defaults.
    """
    defaults = manifest.generation
    longest = manifest.limits.max_target_tokens
    num_hypotheses = alternatives or _or(asked.num_hypotheses, 1)
    wide_enough = defaults.beam_size
    if asked.sampling is not None:
        wide_enough = 1
    elif not alternatives:
        wide_enough = max(wide_enough, num_hypotheses)
    applied = AppliedOptions(
        beam_size=_or(asked.beam_size, wide_enough),
        num_hypotheses=num_hypotheses,
        length_penalty=_or(asked.length_penalty, defaults.length_penalty),
        length_penalty_kind=_or(asked.length_penalty_kind, LengthPenalty.EXPONENT),
        patience=_or(asked.patience, 1.0),
        early_stopping=_or(asked.early_stopping, False),
        use_shortlist=_or(asked.use_shortlist, manifest.prefers_shortlist),
        coverage_penalty=_or(asked.coverage_penalty, 0.0),
        beam_groups=_or(asked.beam_groups, 1),
        diversity_penalty=_or(asked.diversity_penalty, 0.0),
        sampling=None if asked.sampling is None else _sampling(asked.sampling),
        repetition_penalty=_or(asked.repetition_penalty, 1.0),
        no_repeat_ngram_size=_or(asked.no_repeat_ngram_size, 0),
        suppress=_or(asked.suppress, ()),
        prefix_bias=asked.prefix_bias,
        loop_guard_tokens=_or(asked.loop_guard_tokens, _LOOP_TOKENS),
        min_tokens=_or(asked.min_tokens, 0),
        max_tokens=min(_or(asked.max_tokens, longest), longest),
        max_length_ratio=_or(asked.max_length_ratio, defaults.max_length_ratio),
        max_length_offset=_or(asked.max_length_offset, defaults.max_length_offset),
        min_length_ratio=_or(asked.min_length_ratio, 0.0),
        alternatives=alternatives,
    )
    try:
        applied.search(1)
    except ValueError as error:
        raise InvalidRequestError([Fault("decoding", str(error))]) from error
    return applied


def _or(value: T | None, default: T) -> T:
    return default if value is None else value


def _sampling(asked: SamplingOptions) -> Sampling:
    return Sampling(
        seed=secrets.randbits(_SEED_BITS) if asked.seed is None else asked.seed,
        temperature=_or(asked.temperature, 1.0),
        top_k=_or(asked.top_k, 0),
        top_p=_or(asked.top_p, 1.0),
        min_p=_or(asked.min_p, 0.0),
    )


def _reseeded(sampling: Sampling, number: int) -> Sampling:
    """Give each sentence of a text random numbers of its own, which depend on nothing else."""
    if number == 0:
        return sampling
    digest = hashlib.blake2b(f"{sampling.seed}:{number}".encode(), digest_size=8).digest()
    return replace(sampling, seed=int.from_bytes(digest))
