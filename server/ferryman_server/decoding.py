"""From the options of a request to the search of each of its sentences."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ferryman_bundle.manifest import Manifest
from ferryman_server.engine import Search
from ferryman_server.request import DecodingOptions


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

    def search(self, source_tokens: int) -> Search:
        """Return the search for one sentence.

        The length limit grows with the source, so that a model that repeats itself is cut short
        long before its own limit. The least length gives way where the two contradict each other.

        Args:
            source_tokens: Length of the sentence, without its end.
        """
        grown = math.floor(source_tokens * self.max_length_ratio) + self.max_length_offset
        most = max(1, min(self.max_tokens, grown))
        return Search(
            beam_size=self.beam_size,
            num_hypotheses=self.num_hypotheses,
            length_penalty=self.length_penalty,
            min_tokens=min(self.min_tokens, most - 1),
            max_tokens=most,
        )


def apply_options(asked: DecodingOptions, manifest: Manifest) -> AppliedOptions:
    """Complete the options of a request by the defaults of a model, within its limits.

    Args:
        asked: What the request sets. More hypotheses than the model's beam is wide widen the beam,
            unless the request sets that as well.
        manifest: The model's.
    """
    defaults = manifest.generation
    longest = manifest.limits.max_target_tokens
    num_hypotheses = 1 if asked.num_hypotheses is None else asked.num_hypotheses
    wide_enough = max(defaults.beam_size, num_hypotheses)
    return AppliedOptions(
        beam_size=wide_enough if asked.beam_size is None else asked.beam_size,
        num_hypotheses=num_hypotheses,
        length_penalty=(
            defaults.length_penalty if asked.length_penalty is None else asked.length_penalty
        ),
        min_tokens=0 if asked.min_tokens is None else asked.min_tokens,
        max_tokens=longest if asked.max_tokens is None else min(asked.max_tokens, longest),
        max_length_ratio=(
            defaults.max_length_ratio if asked.max_length_ratio is None else asked.max_length_ratio
        ),
        max_length_offset=(
            defaults.max_length_offset
            if asked.max_length_offset is None
            else asked.max_length_offset
        ),
    )
