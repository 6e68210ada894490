"""The step graph bound to one state: nothing is copied but small ids, lengths and scores.

Dimension key:
    n: sources    W: beam width    R: rows, n * W    k: candidates for each hypothesis
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import onnxruntime

from ferryman_bundle import StateTensor
from ferryman_server.engine.search import Floats, Ints
from ferryman_server.engine.state import DecodeState

_CANDIDATE_STEP: Final = 16
"""The step is asked for a multiple of so many candidates, on memory aligned to as many floats.

ONNX Runtime computes a logarithm by vectors, and the last few of an array, and the first few of one
that is not aligned, by another routine that may differ in the last bit. A row's place must not
decide which. Asking for 16 instead of 1 costs nothing that could be measured.
"""


class OnnxDecoder:
    """The step graph over one state in host memory.

    The graph reads and writes prefixes of the state's own buffers; a cache is bound as its own
    successor, and is extended in place. Bindings are renewed only when a shape or a buffer changes.

    Args:
        session: The step graph.
        tensors: The declared state.
        width: Beam width W.
        max_sources: The most sources there will be.
        vocabulary_size: How many tokens there are to choose from.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        tensors: Sequence[StateTensor],
        *,
        width: int,
        max_sources: int,
        vocabulary_size: int,
    ) -> None:
        self.state = DecodeState(tensors, width=width, max_sources=max_sources)
        self._session = session
        self._tensors = tensors
        self._binding = session.io_binding()
        self._bound: tuple[int, int] | None = None
        # One more than the width is the most that a search asks for.
        offered = min(-(-(width + 1) // _CANDIDATE_STEP) * _CANDIDATE_STEP, vocabulary_size)
        self._input_ids: Ints = np.zeros((max_sources, width), np.int64)
        self._past_lengths: npt.NDArray[np.int32] = np.zeros((max_sources, width), np.int32)
        self._total_length: npt.NDArray[np.int32] = np.zeros(1, np.int32)
        self._candidates: Ints = np.array([offered], np.int64)
        self._log_probs: Floats = _aligned_zeros((max_sources, width, offered))
        self._ids: Ints = np.zeros((max_sources, width, offered), np.int64)

    def step(self, input_ids: Ints, candidates: int) -> tuple[Floats, Ints]:
        """Advance every hypothesis by one token; see `Decoder.step`."""
        state = self.state
        n = state.sources
        state.reserve()
        self._input_ids[:n] = input_ids
        self._past_lengths[:n] = state.lengths[:n, None]
        self._total_length[0] = state.lengths[:n].max() + 1
        if self._bound != (state.revision, n):
            self._bind(n)
            self._bound = state.revision, n
        self._session.run_with_iobinding(self._binding)
        state.advance()
        return self._log_probs[:n, :, :candidates], self._ids[:n, :, :candidates]

    def _bind(self, sources: int) -> None:
        rows = sources * self.state.width
        self._bind_input("input_ids", self._input_ids[:sources])
        self._bind_input("past_lengths", self._past_lengths[:sources].reshape(rows))
        self._bind_input("total_length", self._total_length)
        self._bind_input("candidates", self._candidates)
        self._bind_output("candidate_log_probs", self._log_probs[:sources].reshape(rows, -1))
        self._bind_output("candidate_ids", self._ids[:sources].reshape(rows, -1))
        for tensor in self._tensors:
            self._bind_input(tensor.name, self.state.view(tensor.name))
            if tensor.output is not None:
                self._bind_output(tensor.output, self.state.successor(tensor.name))

    def _bind_input(self, name: str, array: npt.NDArray[np.generic]) -> None:
        self._binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)

    def _bind_output(self, name: str, array: npt.NDArray[np.generic]) -> None:
        self._binding.bind_output(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)


def _aligned_zeros(shape: tuple[int, ...]) -> Floats:
    """Return zeros whose first element lies at a multiple of `_CANDIDATE_STEP` floats."""
    size = int(np.prod(shape))
    buffer = np.zeros(size + _CANDIDATE_STEP, np.float32)
    misplaced = buffer.ctypes.data // buffer.itemsize % _CANDIDATE_STEP
    first = -misplaced % _CANDIDATE_STEP
    return buffer[first : first + size].reshape(shape)
