"""From the decoding options of a message to those that the rest of the server works with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from ferryman.v1 import options_pb2
from ferryman_server.engine import LengthPenalty
from ferryman_server.limits import Limits
from ferryman_server.request import DecodingOptions, SamplingOptions
from ferryman_server.wire.faults import Faults

SERVED: Final = (
    "beam_groups",
    "beam_size",
    "coverage_penalty",
    "diversity_penalty",
    "early_stopping",
    "length_penalty_kind",
    "loop_guard_tokens",
    "min_length_ratio",
    "no_repeat_ngram_size",
    "num_hypotheses",
    "patience",
    "prefix_bias",
    "repetition_penalty",
    "sampling",
    "suppress",
    "use_shortlist",
)
"""Options that this server knows, beyond lengths and the strength of the length penalty."""

_LENGTH_PENALTY: Final[Mapping[int, LengthPenalty | None]] = {
    options_pb2.LENGTH_PENALTY_KIND_UNSPECIFIED: None,
    options_pb2.LENGTH_PENALTY_KIND_EXPONENT: LengthPenalty.EXPONENT,
    options_pb2.LENGTH_PENALTY_KIND_GNMT: LengthPenalty.GNMT,
}
_NEUTRAL: Final[Mapping[str, object]] = {
    "forbid_unknown": True,
    "replace_unknown": False,
}
"""Options that this server does not have, and the value that asks for nothing."""
_MAX_SUPPRESSED: Final = 1024
_MAX_SUPPRESSED_CHARACTERS: Final = 256
_MAX_TOKENS: Final = 1 << 20


def parse_decoding_options(
    message: options_pb2.DecodingOptions, limits: Limits, faults: Faults, *, alternatives: int
) -> DecodingOptions:
    """Check the options and take them out of their message.

    Args:
        message: The options as they arrived.
        limits: What the server takes.
        faults: Where to report what is wrong with them.
        alternatives: `OutputOptions.alternatives_at_prefix`.
    """
    for name, neutral in _NEUTRAL.items():
        if message.HasField(name) and getattr(message, name) != neutral:
            faults.unavailable(f"decoding.{name}")
    if message.length_penalty_kind not in _LENGTH_PENALTY:
        faults.unavailable("decoding.length_penalty_kind")
    number = _Numbers(message, "decoding", faults)
    options = DecodingOptions(
        beam_size=number.whole("beam_size", 1, limits.max_beam_size),
        num_hypotheses=number.whole("num_hypotheses", 1, limits.max_num_hypotheses),
        length_penalty=number.real("length_penalty", 0.0, 10.0),
        length_penalty_kind=_LENGTH_PENALTY.get(message.length_penalty_kind),
        patience=number.real("patience", 1.0, 100.0),
        early_stopping=message.early_stopping if message.HasField("early_stopping") else None,
        use_shortlist=message.use_shortlist if message.HasField("use_shortlist") else None,
        coverage_penalty=number.real("coverage_penalty", 0.0, 10.0),
        beam_groups=number.whole("beam_groups", 1, limits.max_beam_size),
        diversity_penalty=number.real("diversity_penalty", 0.0, 100.0),
        sampling=_sampling(message, faults),
        repetition_penalty=number.real("repetition_penalty", 0.01, 100.0),
        no_repeat_ngram_size=number.whole("no_repeat_ngram_size", 0, _MAX_TOKENS),
        suppress=tuple(message.suppress) or None,
        prefix_bias=number.real("prefix_bias", 0.0, 1.0),
        loop_guard_tokens=number.whole("loop_guard_tokens", 0, _MAX_TOKENS),
        min_tokens=number.whole("min_tokens", 0, _MAX_TOKENS),
        max_tokens=number.whole("max_tokens", 1, _MAX_TOKENS),
        max_length_ratio=number.real("max_length_ratio", 0.0, 100.0),
        max_length_offset=number.whole("max_length_offset", 0, _MAX_TOKENS),
        min_length_ratio=number.real("min_length_ratio", 0.0, 100.0),
    )
    _check_together(options, faults, alternatives=alternatives)
    _check_suppressed(message, faults)
    if alternatives > limits.max_num_hypotheses:
        faults.invalid(
            "output.alternatives_at_prefix",
            f"must be from 0 to {limits.max_num_hypotheses}, but is {alternatives}",
        )
    return options


def _sampling(message: options_pb2.DecodingOptions, faults: Faults) -> SamplingOptions | None:
    if not message.HasField("sampling"):
        return None
    sampling = message.sampling
    number = _Numbers(sampling, "decoding.sampling", faults)
    return SamplingOptions(
        seed=sampling.seed if sampling.HasField("seed") else None,
        temperature=number.real("temperature", 0.01, 100.0),
        top_k=number.whole("top_k", 0, _MAX_TOKENS),
        top_p=number.real("top_p", 0.001, 1.0),
        min_p=number.real("min_p", 0.0, 1.0),
    )


def _check_together(options: DecodingOptions, faults: Faults, *, alternatives: int) -> None:
    """Report what contradicts each other."""
    beam, best, rows = options.beam_size, options.num_hypotheses, alternatives or None
    side_by_side = options.sampling is not None or alternatives > 0
    if side_by_side and beam is not None and beam > 1:
        faults.invalid(
            "decoding.beam_size", f"must be 1 with sampling or alternatives, but is {beam}"
        )
    elif not side_by_side and beam is not None and best is not None and best > beam:
        faults.invalid(
            "decoding.num_hypotheses", f"must be at most beam_size ({beam}), but is {best}"
        )
    if rows is not None and best is not None and best != rows:
        faults.invalid(
            "decoding.num_hypotheses", f"must be as many as the alternatives ({rows}), or not set"
        )
    if options.sampling is not None and rows is not None:
        faults.invalid("decoding.sampling", "must not be set with output.alternatives_at_prefix")
    groups = options.beam_groups
    if groups is not None and beam is not None and beam % groups:
        faults.invalid("decoding.beam_groups", f"must divide beam_size ({beam}), but is {groups}")
    guard = options.loop_guard_tokens
    if guard is not None and 0 < guard < 8:
        faults.invalid("decoding.loop_guard_tokens", f"must be 0 or at least 8, but is {guard}")
    fewest, most = options.min_tokens, options.max_tokens
    if fewest is not None and most is not None and fewest > most:
        faults.invalid(
            "decoding.min_tokens", f"must be at most max_tokens ({most}), but is {fewest}"
        )


def _check_suppressed(message: options_pb2.DecodingOptions, faults: Faults) -> None:
    if len(message.suppress) > _MAX_SUPPRESSED:
        faults.invalid(
            "decoding.suppress",
            f"must be at most {_MAX_SUPPRESSED}, but are {len(message.suppress)}",
        )
    for i, text in enumerate(message.suppress[:_MAX_SUPPRESSED]):
        if not text.strip() or len(text) > _MAX_SUPPRESSED_CHARACTERS:
            faults.invalid(
                f"decoding.suppress[{i}]",
                f"must have 1 to {_MAX_SUPPRESSED_CHARACTERS} characters, and not all blank",
            )


class _Numbers:
    """Reads the tunables of a message: None where one is not set, a fault where it is outside."""

    def __init__(
        self,
        message: options_pb2.DecodingOptions | options_pb2.Sampling,
        path: str,
        faults: Faults,
    ) -> None:
        self._message = message
        self._path = path
        self._faults = faults

    def whole(self, name: str, least: int, most: int) -> int | None:
        value = self._within(name, least, most)
        return None if value is None else int(value)

    def real(self, name: str, least: float, most: float) -> float | None:
        value = self._within(name, least, most)
        # 0.6 travels as the float32 nearest to it, but should equal the 0.6 of a model's defaults.
        return None if value is None else float(f"{value:.7g}")

    def _within(self, name: str, least: float, most: float) -> float | None:
        if not self._message.HasField(name):
            return None
        value: float = getattr(self._message, name)
        if math.isnan(value) or not least <= value <= most:
            self._faults.invalid(
                f"{self._path}.{name}", f"must be from {least} to {most}, but is {value}"
            )
            return None
        return value
