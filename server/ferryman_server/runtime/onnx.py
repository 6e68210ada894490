"""A bundle ready to run on ONNX Runtime.

Dimension key:
    B: sentences of a chunk    S: source length, a multiple of 8
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime

from ferryman_bundle import Bundle, StateKind
from ferryman_server.engine.search import Floats, Ints
from ferryman_server.engine.search_options import Tail
from ferryman_server.engine.state import SOURCE_STEP
from ferryman_server.engine.storage import Block
from ferryman_server.runtime.decoder import OnnxDecoder
from ferryman_server.runtime.device_storage import (
    STATE_GRAPHS,
    DeviceStorage,
    DeviceTensor,
    Extents,
    state_bytes,
)
from ferryman_server.runtime.errors import DeviceError
from ferryman_server.runtime.golden import verify_golden_sentences
from ferryman_server.runtime.session import Device, check_device, make_session
from ferryman_server.runtime.shortlist import GRAPH as SHORTLIST_STEP
from ferryman_server.runtime.shortlist import Shortlist


class OnnxRuntime:
    """The encoder and the step of one bundle, shared by all workers.

    It knows nothing of architectures: the manifest declares the state, and by that it is made,
    bound and padded.

    Args:
        bundle: The model.
        threads: Threads of one run; with several workers, leave it at 1.
        device: Where to compute.
        variant: Which of the bundle's variants to run.
        resident: Whether decoder state has fixed memory on the device, moved by the bundle's own
            graphs; None: unless the device is the host itself.

    Raises:
        BundleError: The weights are not what the manifest says.
        DeviceError: The device cannot be used, or not with this bundle.
    """

    def __init__(
        self,
        bundle: Bundle,
        threads: int = 1,
        *,
        device: Device = "cpu",
        variant: str = "fp32",
        resident: bool | None = None,
    ) -> None:
        check_device(device)
        manifest = bundle.manifest
        self.bos = manifest.tokens.bos
        self.eos = manifest.tokens.eos
        self.vocabulary_size = manifest.tokens.vocabulary_size
        self.max_source_tokens = manifest.limits.max_source_tokens
        self.max_target_tokens = manifest.limits.max_target_tokens
        self._pad = manifest.tokens.pad
        self._bundle = bundle
        self._variant = variant
        self._threads = threads
        self._tensors = manifest.variants[variant].state
        graphs = manifest.variants[variant].graphs
        self._device = device
        self._is_resident = device != "cpu" if resident is None else resident
        if self._is_resident and (missing := set(STATE_GRAPHS) - graphs.keys()):
            raise DeviceError(
                f"the bundle lacks {', '.join(sorted(missing))}, without which state cannot stay "
                f"on the device {device}: export the model again"
            )
        self.has_full_tail = "step_full" in graphs
        self._shortlist = Shortlist.of(bundle, variant)
        self.has_shortlist = self._shortlist is not None
        # What has no memory has nothing to attend to.
        has_memory = any(tensor.kind is StateKind.MEMORY for tensor in self._tensors)
        self.has_attention = "scorer" in graphs and has_memory
        # Sessions read these without owning them.
        self._weights: dict[str, dict[str, onnxruntime.OrtValue]] = {}
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        self._lock = threading.Lock()
        self._encoder, self._step = (self._session(name) for name in ("encoder", "step"))
        # The memory, and where a model starts from something, its first recurrent state.
        returned = {output.name for output in self._encoder.get_outputs()}
        self._encoded = [tensor.name for tensor in self._tensors if tensor.name in returned]

    def encode(self, sources: Sequence[Sequence[int]]) -> Mapping[str, Block]:
        """Return what the encoder makes of sources; see `Runtime.encode`."""
        input_ids, attention_mask = self._padded([(*source, self.eos) for source in sources])
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        if self._is_resident:
            return self._encode_on_device(inputs)
        return dict(zip(self._encoded, self._encoder.run(self._encoded, inputs), strict=True))

    def _encode_on_device(self, inputs: Mapping[str, Ints]) -> Mapping[str, DeviceTensor]:
        binding = self._encoder.io_binding()
        for name, array in inputs.items():
            binding.bind_cpu_input(name, array)
        for name in self._encoded:
            binding.bind_output(name, self._device)
        self._encoder.run_with_iobinding(binding)
        dtypes = {tensor.name: tensor.dtype for tensor in self._tensors}
        return {
            name: DeviceTensor.of(value, dtypes[name])
            for name, value in zip(self._encoded, binding.get_outputs(), strict=True)
        }

    def decoder(self, *, width: int, max_sources: int, tail: Tail = Tail.FAST) -> OnnxDecoder:
        """Return a decoder over an empty state; see `Runtime.decoder`."""
        session, lists = self._step, None
        if tail is Tail.SHORTLIST:
            assert self._shortlist is not None, "the bundle has no shortlist"
            session = self._session(SHORTLIST_STEP)
            lists = self._shortlist.lists(width=width, max_sources=max_sources)
        return OnnxDecoder(
            session,
            self._tensors,
            width=width,
            max_sources=max_sources,
            vocabulary_size=self.vocabulary_size,
            full_session=(lambda: self._session("step_full")) if self.has_full_tail else None,
            storage=self._storage(width, max_sources) if self._is_resident else None,
            lists=lists,
        )

    def state_bytes(self, *, width: int, max_sources: int) -> int:
        """Return the memory on the device that a `decoder` takes, in bytes; 0 for the host's.

        Args:
            width: Beam width W of its sources.
            max_sources: The most sources it will hold.
        """
        if not self._is_resident:
            return 0
        return state_bytes(self._tensors, self._extents, sources=max_sources, width=width)

    @property
    def _extents(self) -> Extents:
        """The longest source with its end, and as many tokens as a job may have."""
        return Extents(
            source_length=_padded_length(self.max_source_tokens + 1),
            capacity=_padded_length(self.max_target_tokens + 2),
        )

    def _storage(self, width: int, max_sources: int) -> DeviceStorage:
        return DeviceStorage(
            self._tensors,
            {name: self._session(name) for name in STATE_GRAPHS},
            extents=self._extents,
            width=width,
            max_sources=max_sources,
            device=self._device,
        )

    def shortlisted(self, source: Sequence[int]) -> Ints:
        """Return the tokens that a translation may consist of; see `Runtime.shortlisted`."""
        assert self._shortlist is not None, "the bundle has no shortlist"
        return self._shortlist.candidates((*source, self.eos))

    def attention(
        self, source: Sequence[int], targets: Sequence[Sequence[int]]
    ) -> Sequence[Floats]:
        """Return how much targets attend to their source; see `Runtime.attention`."""
        input_ids, attention_mask = self._padded([(*source, self.eos)] * len(targets))
        # Row t of the answer is about the token that follows token t of what goes in.
        target_ids, target_mask = self._padded([(self.bos, *target[:-1]) for target in targets])
        inputs = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "target_ids": target_ids,
            "target_mask": target_mask,
        }
        (weights,) = self._session("scorer").run(["attention"], inputs)
        return [weights[row, : len(target), : len(source)] for row, target in enumerate(targets)]

    def _session(self, name: str) -> onnxruntime.InferenceSession:
        """Return the session of a graph, made when it is first needed."""
        with self._lock:
            if name not in self._sessions:
                bundle, variant = self._bundle, self._variant
                weights = self._weights[name] = {
                    initializer: onnxruntime.OrtValue.ortvalue_from_numpy(values)
                    for initializer, values in bundle.initializer_values(name, variant).items()
                }
                graph = bundle.graph(name, variant)
                self._sessions[name] = make_session(
                    graph, weights, list(weights), threads=self._threads, device=self._device
                )
            return self._sessions[name]

    def _padded(self, rows: Sequence[Sequence[int]]) -> tuple[Ints, Ints]:
        """Return token ids as one array, padded to a multiple of 8, and where they are no padding.

        Both are (B, S).
        """
        length = _padded_length(max(map(len, rows)))
        ids = np.full((len(rows), length), self._pad, np.int64)
        mask = np.zeros_like(ids)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
            mask[number, : len(row)] = 1
        return ids, mask

    def verify(self, bundle: Bundle) -> None:
        """Decode the golden sentences of the bundle that this was made from.

        Raises:
            VerificationError: One came out otherwise than the bundle says.
        """
        verify_golden_sentences(self, bundle.manifest, self._variant)


def _padded_length(tokens: int) -> int:
    return -(-tokens // SOURCE_STEP) * SOURCE_STEP
