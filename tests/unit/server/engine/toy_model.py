"""A toy model in NumPy: every answer depends on the whole source and the whole prefix.

It reaches both only through the declared state, one tensor of every kind, so that a row that is
mixed up, stale, or padded wrongly changes the answer. `next_log_probs` is the same model without
any state, for brute-force twins.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import numpy as np

from ferryman_bundle import StateKind, StateTensor
from ferryman_server.engine.search import Floats, Ints
from ferryman_server.engine.state import DecodeState

PAD, UNKNOWN, BOS, EOS = 0, 1, 2, 3
NEVER_GENERATED = [PAD, UNKNOWN, BOS]
_STATES = 4093


def _tensor(name: str, kind: StateKind, shape: tuple[int | str, ...], **fields) -> StateTensor:
    declared = {"length_axis": None, "padding": 0.0, "output": None, "dtype": "float32"} | fields
    return StateTensor(name=name, kind=kind, shape=shape, **declared)


TENSORS = (
    _tensor("words", StateKind.MEMORY, ("sources", 2, "source_length"), length_axis=2),
    _tensor(
        "bias", StateKind.MEMORY, ("sources", 1, "source_length"), length_axis=2, padding=-np.inf
    ),
    _tensor("size", StateKind.MEMORY, ("sources", 1)),
    _tensor("trail", StateKind.RECURRENT, ("hypotheses", 2), padding=5.0, output="next_trail"),
    _tensor(
        "prefix",
        StateKind.CACHE,
        ("hypotheses", 2, "capacity", 1),
        length_axis=2,
        output="next_prefix",
    ),
)


class ToyRuntime:
    """A `Runtime` whose next-token distribution is looked up by a digest of source and prefix.

    Args:
        words: Tokens besides the special ones.
        seed: Another seed, another model.
        ties: Whether many log-probabilities are exactly equal.
    """

    bos = BOS
    eos = EOS
    max_source_tokens = 200
    max_target_tokens = 400

    def __init__(self, words: int = 12, *, seed: int = 0, ties: bool = False) -> None:
        self.vocabulary_size = 4 + words
        self.encoded: list[tuple[int, ...]] = []
        self.steps = 0
        self.failing_steps: set[int] = set()
        self.failing_sources: set[tuple[int, ...]] = set()
        self.may_step = threading.Event()
        self.may_step.set()
        random = np.random.default_rng(seed)
        logits = random.normal(scale=1.5, size=(_STATES, self.vocabulary_size))
        logits[:, EOS] += np.log(words) - 1.5
        logits[:, NEVER_GENERATED] = -np.inf
        self.table = (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)
        if ties:
            self.table = np.round(self.table)

    def next_log_probs(self, source: Sequence[int], prefix: Sequence[int]) -> Floats:
        """Return the log-probability of every next token, (V), without any state."""
        words = np.array([*source, EOS], np.int64)
        positions = np.arange(1, len(words) + 1)
        trail = 5
        for token in (BOS, *prefix):
            trail = _follow(trail, token)
        history = np.array([BOS, *prefix], np.int64)
        return self.table[
            _digest(
                int((words * positions).sum()),
                len(words),
                int((history * np.arange(1, len(history) + 1)).sum()),
                trail,
            )
        ]

    def encode(self, sources: Sequence[Sequence[int]]) -> Mapping[str, Floats]:
        if any(tuple(source) in self.failing_sources for source in sources):
            raise RuntimeError("a source that breaks the encoder")
        self.encoded += [tuple(source) for source in sources]
        length = -(-(max(map(len, sources)) + 1) // 8) * 8
        outputs = {
            # What lies beyond a source's end must never matter.
            "words": np.full((len(sources), 2, length), 1e9, np.float32),
            "bias": np.full((len(sources), 1, length), -np.inf, np.float32),
            "size": np.zeros((len(sources), 1), np.float32),
        }
        for row, source in enumerate(sources):
            n = len(source) + 1
            outputs["words"][row, 0, :n] = [*source, EOS]
            outputs["words"][row, 1, :n] = np.arange(1, n + 1)
            outputs["bias"][row, 0, :n] = 0
            outputs["size"][row] = n
        return outputs

    def decoder(self, *, width: int, max_sources: int) -> ToyDecoder:
        return ToyDecoder(self, DecodeState(TENSORS, width=width, max_sources=max_sources))


class ToyDecoder:
    """The toy model over one state."""

    def __init__(self, runtime: ToyRuntime, state: DecodeState) -> None:
        self.state = state
        self.input_ids = np.zeros((state.max_sources, state.width), np.int64)
        self._runtime = runtime

    def step(self, candidates: int) -> tuple[Floats, Ints]:
        runtime, state = self._runtime, self.state
        assert runtime.may_step.wait(30)
        runtime.steps += 1
        if runtime.steps in runtime.failing_steps:
            raise RuntimeError("a step that breaks")
        state.reserve()
        digests = [
            self._digest_row(slot, slot * state.width + beam, int(self.input_ids[slot, beam]))
            for slot in range(state.sources)
            for beam in range(state.width)
        ]
        log_probs = runtime.table[digests]
        ids = np.argsort(-log_probs, axis=1, kind="stable")[:, :candidates]
        shape = state.sources, state.width, candidates
        state.advance()
        return np.take_along_axis(log_probs, ids, axis=1).reshape(shape), ids.reshape(shape)

    def _digest_row(self, slot: int, row: int, token: int) -> int:
        view, length = self.state.view, int(self.state.lengths[slot, row % self.state.width])
        present = view("bias")[slot, 0] == 0
        words, positions = view("words")[slot].astype(np.int64)[:, present]
        trail = _follow(int(view("trail")[row, 0]), token)
        self.state.successor("trail")[row] = trail, -trail
        prefix = view("prefix")[row, :, :, 0]
        prefix[:, length] = token, length + 1
        tokens, weights = prefix[:, : length + 1].astype(np.int64)
        return _digest(
            int((words * positions).sum()),
            int(view("size")[slot, 0]),
            int((tokens * weights).sum()),
            trail,
        )


def _follow(trail: int, token: int) -> int:
    return (trail * 31 + token) % 1021


def _digest(words: int, size: int, history: int, trail: int) -> int:
    return (words * 7919 + size * 104_729 + history * 31 + trail * 613) % _STATES
