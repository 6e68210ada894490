"""The scorer graph: given translations looked at in one teacher-forced pass.

Nothing that translates needs it, so its session is made when something is first scored.

Dimension key:
    B: sentences    S: source tokens with the end    T: target tokens with the end
    In the graph S and T are padded to multiples of 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np
import onnxruntime

from ferryman_bundle import Bundle
from ferryman_server.engine.search import Ints
from ferryman_server.engine.state import SOURCE_STEP
from ferryman_server.runtime.errors import NoScorerError
from ferryman_server.runtime.scored import Scored
from ferryman_server.runtime.session import make_session

GRAPH: Final = "scorer"
_LOG_PROBS: Final = "token_log_probs"
_ATTENTION: Final = "attention"


class Scorer:
    """Scores given translations.

    Args:
        bundle: The model.
        variant: Whose graph; None for the first variant that has one.
        threads: Threads of one run.

    Raises:
        NoScorerError: The bundle has no such graph.
    """

    def __init__(self, bundle: Bundle, variant: str | None = None, *, threads: int = 1) -> None:
        manifest = bundle.manifest
        having = [
            name
            for name, own in manifest.variants.items()
            if GRAPH in own.graphs and variant in (None, name)
        ]
        if not having:
            raise NoScorerError(
                f"the bundle {manifest.name} {manifest.version} has no scorer graph; "
                "export its checkpoint anew"
            )
        self._bundle = bundle
        self._variant = having[0]
        self._threads = threads

    def score(
        self, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]
    ) -> list[Scored]:
        """Score the translation of each source.

        Args:
            sources: Token ids without the end.
            targets: Token ids without start and end.
        """
        tokens = self._bundle.manifest.tokens
        source_ids, source_mask = self._padded([(*source, tokens.eos) for source in sources])
        # Position t reads token t - 1 and predicts token t: the last one predicts the end.
        target_ids, target_mask = self._padded([(tokens.bos, *target) for target in targets])
        inputs = {
            "input_ids": source_ids,
            "attention_mask": source_mask,
            "target_ids": target_ids,
            "target_mask": target_mask,
        }
        session = self._session
        names = [output.name for output in session.get_outputs()]
        found = dict(zip(names, session.run(names, inputs), strict=True))
        attention = found.get(_ATTENTION)
        return [
            Scored(
                found[_LOG_PROBS][i, : len(target) + 1],
                None if attention is None else attention[i, : len(target) + 1, : len(source) + 1],
            )
            for i, (source, target) in enumerate(zip(sources, targets, strict=True))
        ]

    @cached_property
    def _weights(self) -> dict[str, onnxruntime.OrtValue]:
        """The session reads these without owning them."""
        return {
            initializer: onnxruntime.OrtValue.ortvalue_from_numpy(values)
            for initializer, values in self._bundle.initializer_values(GRAPH, self._variant).items()
        }

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        graph = self._bundle.graph(GRAPH, self._variant)
        return make_session(graph, self._weights, list(self._weights), threads=self._threads)

    def _padded(self, rows: Sequence[Sequence[int]]) -> tuple[Ints, Ints]:
        """Return ids and mask, both as wide as the longest row, rounded up to a multiple of 8."""
        width = -(-max(map(len, rows)) // SOURCE_STEP) * SOURCE_STEP
        ids = np.full((len(rows), width), self._bundle.manifest.tokens.pad, np.int64)
        mask = np.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        return ids, mask
