"""Trying a loaded model: its golden sentences again, through the engine that serves it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from ferryman_server.engine import EngineError, Job, Search
from ferryman_server.model import Model

_TOLERANCE: Final = 1e-3
"""Of a log-probability, for each token: summing in another order moves it by about 1e-5."""
_LENGTH_STEP: Final = 8
"""Sources are padded to multiples of this."""
_LONGEST: Final = 128
"""Tokens of the longest source that warms up; longer ones are rare, and slow."""
_STEPS: Final = 4


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of the golden sentences."""

    passed: bool
    sentences: int
    message: str = ""
    """What is wrong, in one line."""


async def replay_golden_sentences(model: Model) -> Replay:
    """Translate the golden sentences of a model, and compare with what its bundle says."""
    manifest = model.manifest
    golden = manifest.golden.get(model.variant) or ()
    jobs = [
        Job(
            source=sentence.source_ids,
            search=Search(max_tokens=manifest.generation.length_limit(len(sentence.source_ids))),
        )
        for sentence in golden
    ]
    try:
        results = await asyncio.gather(*map(asyncio.wrap_future, model.engine.submit(jobs)))
    except EngineError as error:
        return Replay(False, len(golden), f"{model.full_name} does not translate: {error}")
    for sentence, result in zip(golden, results, strict=True):
        best = result.hypotheses[0]
        difference = abs(best.log_prob - sentence.log_prob)
        if best.ids != sentence.ids or difference > _TOLERANCE * result.steps:
            return Replay(
                False,
                len(golden),
                f"{model.full_name} translates its golden sentence {sentence.text!r} otherwise "
                f"than where it was made (log-probability {best.log_prob:.4f}, expected "
                f"{sentence.log_prob:.4f})",
            )
    return Replay(True, len(golden))


async def warm_up(model: Model) -> None:
    """Translate something of every length, greedily and with the model's beam.

    What a runtime makes ready for a shape when it first meets it is ready before the first call.
    """
    manifest = model.manifest
    tokens = manifest.tokens
    special = {tokens.pad, tokens.unknown, tokens.bos, tokens.eos, *tokens.never_generated}
    plain = next((i for i in range(tokens.vocabulary_size) if i not in special), tokens.eos)
    longest = min(manifest.limits.max_source_tokens, _LONGEST)
    steps = min(_STEPS, manifest.limits.max_target_tokens)
    # The end of the sentence counts to the length.
    lengths = sorted({min(n, longest) for n in range(_LENGTH_STEP - 1, longest + 8, _LENGTH_STEP)})
    jobs = [
        Job(source=(plain,) * length, search=Search(beam_size=width, max_tokens=steps))
        for length in lengths
        for width in sorted({1, manifest.generation.beam_size})
    ]
    for job in jobs:
        # One at a time, so that each meets its own shape, and nobody else waits long.
        await asyncio.gather(*map(asyncio.wrap_future, model.engine.submit([job])))
