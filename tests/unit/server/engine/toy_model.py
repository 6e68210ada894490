"""Toy models in NumPy: every answer depends on the whole source and the whole prefix.

They reach both only through the declared state, in as many ways as there are architectures, so that
a row that is mixed up, stale, or padded wrongly changes the answer. `next_log_probs` is the same
model without any state, for brute-force twins.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import numpy as np

from ferryman_bundle import StateKind, StateTensor
from ferryman_server.engine.candidate_lists import CandidateLists
from ferryman_server.engine.output_columns import OutputMatrix
from ferryman_server.engine.search import Floats, Ints
from ferryman_server.engine.search_options import Tail
from ferryman_server.engine.state import DecodeState

PAD, UNKNOWN, BOS, EOS = 0, 1, 2, 3
NEVER_GENERATED = [PAD, UNKNOWN, BOS]
_STATES = 4093


def _tensor(name: str, kind: StateKind, shape: tuple[int | str, ...], **fields) -> StateTensor:
    declared = {"length_axis": None, "padding": 0.0, "output": None, "dtype": "float32"} | fields
    return StateTensor(name=name, kind=kind, shape=shape, **declared)


_MEMORY = (
    _tensor("words", StateKind.MEMORY, ("sources", 2, "source_length"), length_axis=2),
    _tensor(
        "bias", StateKind.MEMORY, ("sources", 1, "source_length"), length_axis=2, padding=-np.inf
    ),
    _tensor("size", StateKind.MEMORY, ("sources", 1)),
)
_TRAIL = _tensor("trail", StateKind.RECURRENT, ("hypotheses", 2), padding=5.0, output="next_trail")
_THOUGHT = _tensor("thought", StateKind.RECURRENT, ("hypotheses", 3), output="next_thought")
_PREFIX = _tensor(
    "prefix", StateKind.CACHE, ("hypotheses", 2, "capacity", 1), length_axis=2, output="next_prefix"
)

ARCHITECTURES = {
    "transformer": (*_MEMORY, _PREFIX),
    "recurrent with attention": (*_MEMORY, _TRAIL),
    "recurrent without attention": (_THOUGHT,),
    "hybrid": (*_MEMORY, _TRAIL, _PREFIX),
}
"""The state that each declares: all that a step knows of the source and of the prefix."""
TENSORS = ARCHITECTURES["hybrid"]


class ToyRuntime:
    """A `Runtime` whose next-token distribution is looked up by a digest of source and prefix.

    Args:
        words: Tokens besides the special ones.
        seed: Another seed, another model.
        ties: Whether many log-probabilities are exactly equal.
        architecture: One of `ARCHITECTURES`.
    """

    bos = BOS
    eos = EOS
    max_source_tokens = 200
    max_target_tokens = 8000
    has_full_tail = True
    has_shortlist = True
    has_attention = True

    def __init__(
        self, words: int = 12, *, seed: int = 0, ties: bool = False, architecture: str = "hybrid"
    ) -> None:
        self.tensors = ARCHITECTURES[architecture]
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
        # The toy looks its logits up; what columns are kept of it must be the right ones.
        size = self.vocabulary_size
        self.matrix = OutputMatrix(
            values=(np.arange(size) % 127).astype(np.int8)[:, None],
            scales=np.ones(size, np.float32),
            bias=np.zeros(size, np.float32),
        )

    def has(self, name: str) -> bool:
        """Whether the state has this tensor."""
        return any(tensor.name == name for tensor in self.tensors)

    def next_log_probs(self, source: Sequence[int], prefix: Sequence[int]) -> Floats:
        """Return the log-probability of every next token, (V), without any state."""
        words, size = _summary(source)
        history = np.array([BOS, *prefix], np.int64)
        trail = 5
        for token in history.tolist():
            trail = _follow(trail, token)
        weighted = int((history * np.arange(1, len(history) + 1)).sum())
        return self.table[
            _digest(
                words,
                size,
                weighted if self.has("prefix") else 0,
                trail if self.has("trail") or self.has("thought") else 0,
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
            "thought": np.zeros((len(sources), 3), np.float32),
        }
        for row, source in enumerate(sources):
            n = len(source) + 1
            outputs["words"][row, 0, :n] = [*source, EOS]
            outputs["words"][row, 1, :n] = np.arange(1, n + 1)
            outputs["bias"][row, 0, :n] = 0
            outputs["size"][row] = n
            outputs["thought"][row] = *_summary(source), 5
        # The trail starts as its padding, which no encoder has to return.
        return {name: value for name, value in outputs.items() if self.has(name)}

    def attention(self, source: Sequence[int], targets: Sequence[Sequence[int]]) -> list[Floats]:
        """Return weights that have nothing to do with the step, but depend on all tokens."""
        weights = []
        for target in targets:
            random = np.random.default_rng([*source, 0, *target])
            rows = random.random((len(target), len(source))) ** 8
            weights.append((rows / rows.sum(axis=1, keepdims=True)).astype(np.float32))
        return weights

    def shortlisted(self, source: Sequence[int]) -> Ints:
        """Return about half of the words, which others share in part, and the end."""
        random = np.random.default_rng([len(source), *source[:2]])
        listed = random.random(self.vocabulary_size) < 0.6
        listed[NEVER_GENERATED], listed[[EOS, 4]] = False, True
        return np.flatnonzero(listed)

    def listed_log_probs(self, source: Sequence[int], prefix: Sequence[int]) -> Floats:
        """Return `next_log_probs` as if there were no tokens but the source's own, (V)."""
        listed = np.full(self.vocabulary_size, -np.inf, np.float32)
        tokens = self.shortlisted(source)
        listed[tokens] = log_softmax(self.next_log_probs(source, prefix)[tokens])
        return listed

    def decoder(self, *, width: int, max_sources: int, tail: Tail = Tail.FAST) -> ToyDecoder:
        state = DecodeState(self.tensors, width=width, max_sources=max_sources)
        lists = None
        if tail is Tail.SHORTLIST:
            lists = CandidateLists(self.matrix, width=width, max_sources=max_sources)
        return ToyDecoder(self, state, lists)


class ToyDecoder:
    """A toy model over one state."""

    def __init__(
        self, runtime: ToyRuntime, state: DecodeState, lists: CandidateLists | None = None
    ) -> None:
        self.state = state
        self.lists = lists
        self.input_ids = np.zeros((state.max_sources, state.width), np.int64)
        self._runtime = runtime

    def step(self, candidates: int) -> tuple[Floats, Ints]:
        log_probs = self._advance()
        if self.lists is not None:
            return self._choose_from_lists(log_probs, self.lists, candidates)
        ids = np.argsort(-log_probs, axis=2, kind="stable")[:, :, :candidates]
        return np.take_along_axis(log_probs, ids, axis=2), ids

    def _choose_from_lists(
        self, logits: Floats, lists: CandidateLists, candidates: int
    ) -> tuple[Floats, Ints]:
        """Do what the graph does: logits in the order of the columns, and of these its own."""
        assert lists.columns is not None
        ids = lists.columns.ids
        assert np.array_equal(lists.columns.values[0], ids % 127)
        logits = logits[:, :, ids] + lists.columns.bias
        places = lists.places[: self.state.sources]
        own = np.take_along_axis(logits, places, axis=2)
        best = np.argsort(-own, axis=2, kind="stable")[:, :, :candidates]
        found = np.apply_along_axis(log_softmax, 2, own)
        chosen = np.take_along_axis(places, best, axis=2)
        return np.take_along_axis(found, best, axis=2), ids[chosen]

    def step_full(self) -> Floats:
        return self._advance()

    def _advance(self) -> Floats:
        """Advance every hypothesis; return the log-probability of each next token, (n, W, V)."""
        runtime, state = self._runtime, self.state
        assert runtime.may_step.wait(30)
        runtime.steps += 1
        if runtime.steps in runtime.failing_steps:
            raise RuntimeError("a step that breaks")
        state.reserve()
        shape = state.sources, state.width
        tokens = self.input_ids[: state.sources].reshape(-1)
        words, size, trail = self._follow_tokens(tokens)
        log_probs = runtime.table[_digest(words, size, self._history(tokens), trail)]
        state.advance()
        return log_probs.reshape(*shape, -1)

    def _follow_tokens(self, tokens: Ints) -> tuple[Ints, Ints, Ints]:
        """Return what the step knows of the source and of the tokens' order, all (R)."""
        state = self.state
        if self._runtime.has("thought"):
            words, size, trail = state.view("thought").astype(np.int64).T
            trail = _follow(trail, tokens)
            state.successor("thought")[...] = np.stack([words, size, trail], axis=1)
            return words, size, trail
        pairs = np.where(state.view("bias") == 0, state.view("words"), 0).astype(np.int64)
        words = (pairs[:, 0] * pairs[:, 1]).sum(axis=1).repeat(state.width)
        size = state.view("size")[:, 0].astype(np.int64).repeat(state.width)
        trail = np.zeros_like(tokens)
        if self._runtime.has("trail"):
            trail = _follow(state.view("trail")[:, 0].astype(np.int64), tokens)
            state.successor("trail")[...] = np.stack([trail, -trail], axis=1)
        return words, size, trail

    def _history(self, tokens: Ints) -> Ints:
        """Append the tokens to the cache; return what the step reads there, (R)."""
        if not self._runtime.has("prefix"):
            return np.zeros_like(tokens)
        lengths = self.state.lengths[: self.state.sources].reshape(-1)
        prefix = self.state.view("prefix")[..., 0]
        rows = np.arange(len(tokens))
        prefix[rows, 0, lengths], prefix[rows, 1, lengths] = tokens, lengths + 1
        filled = np.arange(prefix.shape[2]) <= lengths[:, None]
        entries = np.where(filled[:, None], prefix, 0).astype(np.int64)
        return (entries[:, 0] * entries[:, 1]).sum(axis=1)


def log_softmax(logits: Floats) -> Floats:
    """Normalise one row: a sum of doubles, so that no order of terms shows in float32."""
    finite = logits[logits > -np.inf].astype(np.float64)
    return (logits - np.log(np.exp(np.sort(finite)).sum())).astype(np.float32)


def _summary(source: Sequence[int]) -> tuple[int, int]:
    words = np.array([*source, EOS], np.int64)
    return int((words * np.arange(1, len(words) + 1)).sum()), len(words)


def _follow(trail, token):
    return (trail * 31 + token) % 1021


def _digest(words, size, history, trail):
    return (words * 7919 + size * 104_729 + history * 31 + trail * 613) % _STATES
