"""The step graph bound to one state: nothing is copied but small ids, lengths and scores.

Dimension key:
    n: sources    W: beam width    R: rows, n * W    k: candidates for each hypothesis
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnxruntime

from ferryman_bundle import StateTensor
from ferryman_server.engine.search import Floats, Ints
from ferryman_server.engine.state import DecodeState


class OnnxDecoder:
    """The step graph over one state in host memory.

    The graph reads and writes prefixes of the state's own buffers; a cache is bound as its own
    successor, and is extended in place. Bindings are kept, one for every number of sources, until
    a buffer changes.

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
        # A graph has the inputs that it needs: a recurrent step asks for no lengths.
        self._inputs = {node.name for node in session.get_inputs()}
        self._bindings: dict[int, onnxruntime.IOBinding] = {}
        self._revision = self.state.revision
        # One more than the width is the most that a search asks for.
        offered = min(width + 1, vocabulary_size)
        self.input_ids: Ints = np.zeros((max_sources, width), np.int64)
        self._total_length: npt.NDArray[np.int32] = np.zeros(1, np.int32)
        self._candidates: Ints = np.array([offered], np.int64)
        self._log_probs: Floats = np.zeros((max_sources, width, offered), np.float32)
        self._ids: Ints = np.zeros((max_sources, width, offered), np.int64)

    def step(self, candidates: int) -> tuple[Floats, Ints]:
        """Advance every hypothesis by one token; see `Decoder.step`."""
        state = self.state
        n = state.sources
        state.reserve()
        self._total_length[0] = state.longest + 1
        self._session.run_with_iobinding(self._binding(n))
        state.advance()
        return self._log_probs[:n, :, :candidates], self._ids[:n, :, :candidates]

    def _binding(self, sources: int) -> onnxruntime.IOBinding:
        """Return the binding of the first n slots, made when there first are so many."""
        if self._revision != self.state.revision:
            self._bindings.clear()
            self._revision = self.state.revision
        if sources not in self._bindings:
            self._bindings[sources] = self._bind(sources)
        return self._bindings[sources]

    def _bind(self, sources: int) -> onnxruntime.IOBinding:
        rows = sources * self.state.width
        inputs: dict[str, npt.NDArray[np.generic]] = {
            "input_ids": self.input_ids[:sources],
            "past_lengths": self.state.lengths[:sources].reshape(rows),
            "total_length": self._total_length,
            "candidates": self._candidates,
        }
        outputs: dict[str, npt.NDArray[np.generic]] = {
            "candidate_log_probs": self._log_probs[:sources].reshape(rows, -1),
            "candidate_ids": self._ids[:sources].reshape(rows, -1),
        }
        for tensor in self._tensors:
            inputs[tensor.name] = self.state.view(tensor.name)
            if tensor.output is not None:
                outputs[tensor.output] = self.state.successor(tensor.name)
        binding = self._session.io_binding()
        for name, array in inputs.items():
            if name in self._inputs:
                binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        for name, array in outputs.items():
            binding.bind_output(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        return binding
