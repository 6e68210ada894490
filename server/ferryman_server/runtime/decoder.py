"""The step graphs bound to one state: nothing is copied but small ids, lengths and scores.

Dimension key:
    n: sources    W: beam width    R: rows, n * W    k: candidates for each hypothesis
    V: target vocabulary
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from ferryman_bundle import StateTensor
from ferryman_server.engine.candidate_lists import CandidateLists
from ferryman_server.engine.search import Floats, Ints
from ferryman_server.engine.state import DecodeState
from ferryman_server.engine.storage import Block, Storage
from ferryman_server.runtime.device_storage import DeviceTensor
from ferryman_server.runtime.shortlist import BIAS, SCALES, VALUES

Arrays = dict[str, npt.NDArray[np.generic]]
Blocks = dict[str, Block]


class OnnxDecoder:
    """The step graphs over one state.

    A graph reads and writes prefixes of the state's own buffers; a cache is bound as its own
    successor, and is extended in place. Bindings are kept, one for every number of sources, until
    a buffer changes. What else goes in and comes out is small, and in host memory.

    Args:
        session: The step graph; where there are lists, the one that chooses from lists.
        tensors: The declared state.
        width: Beam width W.
        max_sources: The most sources there will be.
        vocabulary_size: How many tokens there are to choose from.
        full_session: Gives the step graph with the full tail, when that is asked for first; None
            where the bundle has none.
        storage: Where the state is; None for host memory.
        lists: What each source may choose from; None for everything.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        tensors: Sequence[StateTensor],
        *,
        width: int,
        max_sources: int,
        vocabulary_size: int,
        full_session: Callable[[], onnxruntime.InferenceSession] | None = None,
        storage: Storage | None = None,
        lists: CandidateLists | None = None,
    ) -> None:
        self.state = DecodeState(tensors, width=width, max_sources=max_sources, storage=storage)
        self.input_ids: Ints = np.zeros((max_sources, width), np.int64)
        self.lists = lists
        self._tensors = tensors
        self._vocabulary_size = vocabulary_size
        self._total_length: npt.NDArray[np.int32] = np.zeros(1, np.int32)
        # One more than the width is what a search without rules asks for.
        self._least_offered = min(width + 1, vocabulary_size)
        self._session = session
        self._full_session = full_session
        self._fast_tails: dict[int, _BoundTail] = {}  # by the candidates that they offer
        self._full_tail: _BoundTail | None = None

    def step(self, candidates: int) -> tuple[Floats, Ints]:
        """Advance every hypothesis by one token; see `Decoder.step`."""
        offered = self._least_offered
        if candidates > offered:
            # Few different numbers, so that few sets of buffers are made.
            offered = min(1 << (candidates - 1).bit_length(), self._vocabulary_size)
        if self.lists is not None:
            offered = min(offered, self.lists.places.shape[2])
        tail = self._fast_tails.get(offered)
        if tail is None:
            tail = self._fast_tails[offered] = self._offer(offered)
        n = self._run(tail)
        log_probs, ids = tail.outputs["candidate_log_probs"], tail.outputs["candidate_ids"]
        return log_probs[:n, :, :candidates], ids[:n, :, :candidates]

    def step_full(self) -> Floats:
        """Advance every hypothesis by one token; see `Decoder.step_full`."""
        if self._full_tail is None:
            assert self._full_session is not None, "the bundle has no graph step_full"
            log_probs = np.zeros((*self.input_ids.shape, self._vocabulary_size), np.float32)
            self._full_tail = _BoundTail(self._full_session(), {}, {"log_probs": log_probs})
        n = self._run(self._full_tail)
        return self._full_tail.outputs["log_probs"][:n]

    def _offer(self, candidates: int) -> _BoundTail:
        """Return the fast tail with room for so many candidates."""
        shape = (*self.input_ids.shape, candidates)
        return _BoundTail(
            self._session,
            {"candidates": np.array([candidates], np.int64)},
            {
                "candidate_log_probs": np.zeros(shape, np.float32),
                "candidate_ids": np.zeros(shape, np.int64),
            },
        )

    def _run(self, tail: _BoundTail) -> int:
        """Run a graph over the sources in the state; return how many they are."""
        state = self.state
        n = state.sources
        state.reserve()
        self._total_length[0] = state.longest + 1
        lists = () if self.lists is None else self.lists.revision
        tail.run(n, state.side, (state.revision, *lists), self._bindable)
        state.advance()
        return n

    def _bindable(self, sources: int) -> tuple[Blocks, Blocks]:
        """Return what every graph reads and writes of the first n slots, by name."""
        rows = sources * self.state.width
        inputs: Blocks = {
            "input_ids": self.input_ids[:sources],
            "past_lengths": self.state.lengths[:sources].reshape(rows),
            "total_length": self._total_length,
        }
        outputs: Blocks = {}
        for tensor in self._tensors:
            inputs[tensor.name] = self.state.view(tensor.name)
            if tensor.output is not None:
                outputs[tensor.output] = self.state.successor(tensor.name)
        if self.lists is not None:
            inputs |= _bindable_lists(self.lists, sources)
        return inputs, outputs


def _bindable_lists(lists: CandidateLists, sources: int) -> Arrays:
    """Return what a graph reads of the lists of the first n slots, by name."""
    places = lists.places[:sources]
    arrays: Arrays = {"shortlist.places": places.reshape(-1, places.shape[2])}  # (R, P)
    columns = lists.columns
    if columns is not None:
        arrays |= {
            VALUES: columns.values,
            SCALES: columns.scales,
            BIAS: columns.bias,
            "shortlist.ids": columns.ids,
        }
    return arrays


class _BoundTail:
    """One step graph with its own inputs and outputs, and its bindings to the state.

    Args:
        session: The graph.
        inputs: What it reads besides the state.
        outputs: What it writes besides the state, each (max_sources, W, ...).
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        inputs: Arrays,
        outputs: dict[str, npt.NDArray[Any]],
    ) -> None:
        self.outputs = outputs
        self._inputs = inputs
        self._session = session
        # A graph has the inputs that it needs: a recurrent step asks for no lengths.
        self._input_names = {node.name for node in session.get_inputs()}
        self._bindings: dict[tuple[int, int], onnxruntime.IOBinding] = {}
        self._revision: tuple[int, ...] = ()

    def run(
        self,
        sources: int,
        side: int,
        revision: tuple[int, ...],
        bindable: Callable[[int], tuple[Blocks, Blocks]],
    ) -> None:
        """Run over the first n slots, bound when there first are so many."""
        if self._revision != revision:
            self._bindings.clear()
            self._revision = revision
        key = sources, side
        binding = self._bindings.get(key)
        if binding is None:
            binding = self._bindings[key] = self._bind(sources, *bindable(sources))
        self._session.run_with_iobinding(binding)

    def _bind(self, sources: int, inputs: Blocks, outputs: Blocks) -> onnxruntime.IOBinding:
        inputs = {n: a for n, a in {**inputs, **self._inputs}.items() if n in self._input_names}
        for name, array in self.outputs.items():
            outputs[name] = array[:sources].reshape(-1, array.shape[-1])  # (R, ...)
        binding = self._session.io_binding()
        for name, block in inputs.items():
            binding.bind_input(name, *_place(block))
        for name, block in outputs.items():
            binding.bind_output(name, *_place(block))
        return binding


def _place(block: Block) -> tuple[str, int, np.dtype[Any], tuple[int, ...], int]:
    """Return what ONNX Runtime has to know of memory: where, what, and how much."""
    if isinstance(block, DeviceTensor):
        value = block.value
        return value.device_name(), 0, block.dtype, block.shape, value.data_ptr()
    return "cpu", 0, block.dtype, block.shape, block.ctypes.data
