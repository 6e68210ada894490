"""The graphs of an export, run in ONNX Runtime without any of the engine's cleverness.

It is the plainest thing that can be held against torch: no shared buffers, no slots, every state
tensor a value of its own.

Dimension key:
    B: sources    S: source tokens, a multiple of 8    R: hypotheses    P: past target tokens
    k: candidates
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from ferryman_bundle import StateKind, StateTensor
from ferryman_bundle.quantization import Floats
from ferryman_bundle.tokenizer import BOS, EOS, PAD
from ferryman_export.lowered import LoweredGraph, LoweredVariant

Ints = npt.NDArray[np.int64]
State = Mapping[str, Floats]
"""State tensors by name."""


def pad_sources(sources: Sequence[Sequence[int]]) -> tuple[Ints, Ints]:
    """Return ids with the end of sentence, and their mask, both (B, S)."""
    longest = max(len(source) for source in sources) + 1
    ids = np.full((len(sources), -(-longest // 8) * 8), PAD, dtype=np.int64)
    for row, source in enumerate(sources):
        ids[row, : len(source) + 1] = (*source, EOS)
    return ids, (ids != PAD).astype(np.int64)


class GraphRunner:
    """Sessions of the graphs of one variant, on one thread of the CPU unless told otherwise.

    Args:
        lowered: The graphs, and the values of their weights.
        provider: ONNX Runtime's name of what computes.
    """

    def __init__(self, lowered: LoweredVariant, *, provider: str = "CPUExecutionProvider") -> None:
        self._state = lowered.state
        self._provider = provider
        # The sessions read from these arrays without owning them.
        self._values = {
            name: onnxruntime.OrtValue.ortvalue_from_numpy(tensor)
            for name, tensor in lowered.values.items()
        }
        self._encoder = self._session(lowered.graphs["encoder"])
        self._step = self._session(lowered.graphs["step"])
        self._full_step = self._session(lowered.graphs["step_full"])
        self._scorer = self._session(lowered.graphs["scorer"])

    def _session(self, graph: LoweredGraph) -> onnxruntime.InferenceSession:
        # Of the two ways to supply tensors from memory this is the one that keeps ONNX Runtime
        # 1.31 from looking for a file. The tensors count as constants, so matrices are packed
        # once, when the session is made; a name that the graph lacks is refused.
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_external_initializers(
            list(graph.initializers), [self._values[name] for name in graph.initializers]
        )
        return onnxruntime.InferenceSession(graph.file, options, providers=[self._provider])

    def tensors(self, kind: StateKind) -> list[StateTensor]:
        """Return the state tensors of one kind."""
        return [tensor for tensor in self._state if tensor.kind is kind]

    def encode(self, sources: Sequence[Sequence[int]]) -> State:
        """Read sources, which are ids without the end of sentence.

        Returns:
            The memory, and the recurrent state before the first step.
        """
        ids, mask = pad_sources(sources)
        names = [t.name for t in self._state if t.kind is not StateKind.CACHE]
        inputs = {"input_ids": ids, "attention_mask": mask}
        return dict(zip(names, self._encoder.run(names, inputs), strict=True))

    def empty_caches(self, rows: int, capacity: int) -> State:
        """Return the caches of `rows` hypotheses before their first step."""
        sizes = {"hypotheses": rows, "capacity": capacity}
        return {
            tensor.name: np.zeros(
                [sizes[d] if isinstance(d, str) else d for d in tensor.shape], dtype=tensor.dtype
            )
            for tensor in self._state
            if tensor.kind is StateKind.CACHE
        }

    def step(
        self, ids: Ints, lengths: npt.NDArray[np.int32], state: State, *, candidates: int
    ) -> tuple[Floats, Ints, State]:
        """Extend every hypothesis by one token.

        Args:
            ids: The newest tokens, (B, W).
            lengths: Positions of each row that its caches hold, (R,).
            state: Every state tensor.
            candidates: k.

        Returns:
            Log-probabilities and ids of the candidates, (R, k), and the state after the step.
        """
        inputs = {
            **self._inputs(ids, lengths, state),
            "candidates": np.array([candidates], dtype=np.int64),
        }
        replaced = {t.name: str(t.output) for t in self._state if t.output is not None}
        names = ["candidate_log_probs", "candidate_ids", *replaced.values()]
        log_probs, best, *present = self._step.run(names, inputs)
        return log_probs, best, {**state, **dict(zip(replaced, present, strict=True))}

    def log_probs(self, ids: Ints, lengths: npt.NDArray[np.int32], state: State) -> Floats:
        """Return the log-probability of every next token, (R, V); see `step` for the arguments."""
        inputs = self._inputs(ids, lengths, state)
        found: Floats = self._full_step.run(["log_probs"], inputs)[0]
        return found

    def score(
        self, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]
    ) -> dict[str, Floats]:
        """Return what the scorer says of whole targets, by the name of the output.

        Args:
            sources: Ids without the end of sentence.
            targets: Ids without start and end.
        """
        source_ids, source_mask = pad_sources(sources)
        longest = max(len(target) for target in targets) + 1
        target_ids = np.full((len(targets), -(-longest // 8) * 8), PAD, dtype=np.int64)
        for row, target in enumerate(targets):
            target_ids[row, : len(target) + 1] = (BOS, *target)
        inputs = {
            "input_ids": source_ids,
            "attention_mask": source_mask,
            "target_ids": target_ids,
            "target_mask": (target_ids != PAD).astype(np.int64),
        }
        names = [output.name for output in self._scorer.get_outputs()]
        return dict(zip(names, self._scorer.run(names, inputs), strict=True))

    def _inputs(
        self, ids: Ints, lengths: npt.NDArray[np.int32], state: State
    ) -> dict[str, npt.NDArray[Any]]:
        """Return what every step graph takes, by name."""
        return {
            "input_ids": ids,
            "past_lengths": lengths,
            "total_length": np.array([lengths.max() + 1], dtype=np.int32),
            **state,
        }
