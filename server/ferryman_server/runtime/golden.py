"""Golden sentences: does this machine compute what the bundle's maker computed?

Kernels differ between CPUs, and a fault in one shows in no digest.
"""

from __future__ import annotations

import time
from typing import Final

from ferryman_bundle import Manifest
from ferryman_server.engine.job import Job, Search
from ferryman_server.engine.lane import Lane
from ferryman_server.engine.runtime import Runtime
from ferryman_server.engine.ticket import Ticket
from ferryman_server.runtime.errors import VerificationError

_TOLERANCE: Final = 1e-3
"""Of a log-probability, for each token: summing in another order moves it by about 1e-5."""


def verify_golden_sentences(runtime: Runtime, manifest: Manifest, variant: str) -> None:
    """Translate the golden sentences of a variant greedily, all together.

    Raises:
        VerificationError: One came out otherwise than the manifest says.
    """
    sentences = manifest.golden.get(variant)
    if not sentences:
        return
    generation = manifest.generation
    lane = Lane(runtime, width=1, max_sources=len(sentences))
    expected = {}
    for golden in sentences:
        search = Search(max_tokens=generation.length_limit(len(golden.source_ids)))
        expected[Ticket(Job(source=golden.source_ids, search=search), time.monotonic())] = golden
    lane.admit(list(expected))
    while lane.tickets:
        for finished in lane.step():
            golden, best = expected[finished.ticket], finished.hypotheses[0]
            difference = abs(best.log_prob - golden.log_prob)
            if best.ids != golden.ids or difference > _TOLERANCE * finished.steps:
                raise VerificationError(
                    f"on this machine the bundle {manifest.name} {manifest.version}, {variant}, "
                    f"translates its golden sentence {golden.text!r} otherwise than where it was "
                    f"made (log-probability {best.log_prob:.4f}, expected {golden.log_prob:.4f}); "
                    "export it anew, or report this CPU and the version of onnxruntime"
                )
