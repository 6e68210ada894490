"""The pool of slots against its specification: gather rows, concatenate batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from toy_model import ARCHITECTURES, TENSORS

from ferryman_bundle import StateKind
from ferryman_server.engine.state import CAPACITY, DecodeState, settle


@dataclass(frozen=True)
class Specification:
    """A running batch as plain lists: what `DecodeState` must be indistinguishable from."""

    sources: tuple[dict[str, np.ndarray], ...] = ()
    """Of each source: its memory without padding, and W rows of everything else."""

    def concatenate(self, other: Specification) -> Specification:
        return Specification(self.sources + other.sources)

    def gather(self, slots) -> Specification:
        return Specification(tuple(self.sources[slot] for slot in slots))


class StateMachine(RuleBasedStateMachine):
    """Random admissions, steps, reorderings and departures."""

    @initialize(
        architecture=st.sampled_from(sorted(ARCHITECTURES)),
        width=st.integers(1, 4),
        seed=st.integers(0, 2**16),
    )
    def start(self, architecture, width, seed):
        self.tensors = ARCHITECTURES[architecture]
        self.memory = [t for t in self.tensors if t.kind is StateKind.MEMORY]
        self.recurrent = [t for t in self.tensors if t.kind is StateKind.RECURRENT]
        self.caches = [t for t in self.tensors if t.kind is StateKind.CACHE]
        self.width = width
        self.random = np.random.default_rng(seed)
        self.state = DecodeState(self.tensors, width=width, max_sources=6)
        self.specification = Specification()
        # The source in each slot, as an index into the specification; None for a gap.
        self.slots: list[int | None] = []

    def taken(self):
        return [slot for slot, source in enumerate(self.slots) if source is not None]

    @precondition(lambda self: len(self.taken()) < 6)
    @rule(data=st.data())
    def admit(self, data):
        count = data.draw(st.integers(1, 6 - len(self.taken())))
        length = data.draw(st.sampled_from([8, 16, 24, 72, 136]))
        outputs, sources = {}, [{} for _ in range(count)]
        for tensor in self.memory:
            shape = [length if d == "source_length" else d for d in (count, *tensor.shape[1:])]
            outputs[tensor.name] = self.random.normal(size=shape).astype(np.float32)
            for source, values in zip(sources, outputs[tensor.name], strict=True):
                source[tensor.name] = values
        for tensor in self.recurrent:
            # What the encoder does not return starts as padding.
            first = np.full((count, *tensor.shape[1:]), tensor.padding, np.float32)
            if tensor.name == "thought":
                first = self.random.normal(size=first.shape).astype(np.float32)
                outputs[tensor.name] = first
            for source, values in zip(sources, first, strict=True):
                source[tensor.name] = np.stack([values] * self.width)
        for source in sources:
            for tensor in self.caches:
                source[tensor.name] = np.zeros((self.width, tensor.shape[1], 0, 1), np.float32)
        slots = self.state.admit(outputs)
        assert len(set(slots)) == count
        assert not set(slots) & set(self.taken())
        first = len(self.specification.sources)
        self.specification = self.specification.concatenate(Specification(tuple(sources)))
        for number, slot in enumerate(slots):
            self.slots += [None] * (slot + 1 - len(self.slots))
            self.slots[slot] = first + number

    @precondition(lambda self: self.taken())
    @rule(data=st.data())
    def leave(self, data):
        leaving = data.draw(st.sets(st.sampled_from(self.taken())))
        self.state.release(leaving)
        for slot in leaving:
            self.slots[slot] = None

    @rule()
    def compact(self):
        for source, target in self.state.compact():
            assert self.slots[target] is None
            self.slots[target], self.slots[source] = self.slots[source], None
        self.slots = self.slots[: len(self.taken())]
        assert None not in self.slots
        assert self.state.sources == len(self.slots)

    @precondition(lambda self: self.taken())
    @rule(steps=st.sampled_from([1, 1, 1, 30]), data=st.data())
    def step(self, steps, data):
        self.compact()
        for _ in range(steps):
            self._step()
        beams = st.lists(st.integers(0, self.width - 1), min_size=self.width, max_size=self.width)
        parents = np.array([data.draw(beams) for _ in self.slots])
        before = self.state.bytes_copied
        rows = self.state.reorder(parents)
        assert (np.sort(rows, axis=1) == np.arange(self.width)).all()
        if all(len(set(of_source)) == self.width for of_source in parents.tolist()):
            assert self.state.bytes_copied == before
            np.testing.assert_array_equal(rows, parents)
        # Hypothesis j, of parent parents[j], now has row rows[j].
        reordered = []
        for slot, index in enumerate(self.slots):
            source = dict(self.specification.sources[index])
            from_row = np.empty(self.width, int)
            from_row[rows[slot]] = parents[slot]
            for tensor in (*self.recurrent, *self.caches):
                source[tensor.name] = source[tensor.name][from_row]
            reordered.append(source)
        self.specification = Specification(tuple(reordered))
        self.slots = list(range(len(reordered)))

    def _step(self):
        """Write what a decoder would: successors, and one position of every cache."""
        state = self.state
        state.reserve()
        gathered = self.specification.gather(self.slots)
        stepped = []
        for slot, before in enumerate(gathered.sources):
            source = dict(before)
            rows = slice(slot * self.width, (slot + 1) * self.width)
            for tensor in self.recurrent:
                source[tensor.name] = self.random.normal(size=source[tensor.name].shape).astype("f")
                state.successor(tensor.name)[rows] = source[tensor.name]
            for tensor in self.caches:
                new = self.random.normal(size=(self.width, tensor.shape[1], 1, 1)).astype("f")
                length = int(state.lengths[slot, 0])
                state.view(tensor.name)[rows, :, length : length + 1] = new
                source[tensor.name] = np.concatenate([source[tensor.name], new], axis=2)
            stepped.append(source)
        state.advance()
        self.specification = Specification(tuple(stepped))
        self.slots = list(range(len(stepped)))

    @invariant()
    def is_as_specified(self):
        if not hasattr(self, "state"):
            return
        for slot in self.taken():
            source = self.specification.sources[self.slots[slot]]
            rows = slice(slot * self.width, (slot + 1) * self.width)
            for tensor in self.memory:
                self._check_memory(tensor, self.state.view(tensor.name)[slot], source[tensor.name])
            for tensor in self.recurrent:
                found = self.state.view(tensor.name)[rows]
                np.testing.assert_array_equal(found, source[tensor.name])
            for tensor in self.caches:
                length = source[tensor.name].shape[2]
                assert (self.state.lengths[slot] == length).all()
                found = self.state.view(tensor.name)[rows, :, :length]
                np.testing.assert_array_equal(found, source[tensor.name])

    def _check_memory(self, tensor, found, expected):
        if tensor.length_axis is None:
            np.testing.assert_array_equal(found, expected)
            return
        own = expected.shape[-1]
        np.testing.assert_array_equal(found[:, :own], expected)
        assert (found[:, own:] == tensor.padding).all()

    @invariant()
    def has_views_of_prefixes_without_copies(self):
        if not hasattr(self, "state"):
            return
        assert self.state.source_length % 8 == 0
        for tensor in self.tensors:
            view = self.state.view(tensor.name)
            assert view.flags.c_contiguous
            rows = 1 if tensor.kind is StateKind.MEMORY else self.width
            assert len(view) == rows * self.state.sources


TestStateMachine = StateMachine.TestCase


@given(data=st.data(), n=st.integers(1, 5), width=st.integers(1, 6))
def test_only_hypotheses_with_a_shared_parent_are_copied(data, n, width):
    beams = st.lists(st.integers(0, width - 1), min_size=width, max_size=width)
    parents = np.array([data.draw(beams) for _ in range(n)])
    rows, copied = settle(parents)
    for of_source, own_rows, own_copied in zip(
        parents.tolist(), rows.tolist(), copied.tolist(), strict=True
    ):
        assert sorted(own_rows) == list(range(width))
        assert sum(own_copied) == width - len(set(of_source))
        seen = set()
        for parent, row, is_copied in zip(of_source, own_rows, own_copied, strict=True):
            assert is_copied == (parent in seen)
            assert is_copied or row == parent
            seen.add(parent)
        # A row that is written must not be one that is still to be read.
        written = {row for row, is_copied in zip(own_rows, own_copied, strict=True) if is_copied}
        assert not written & set(of_source)


def chunk(count: int, length: int) -> dict[str, np.ndarray]:
    return {
        "words": np.ones((count, 2, length), np.float32),
        "bias": np.zeros((count, 1, length), np.float32),
        "size": np.ones((count, 1), np.float32),
    }


def test_buffers_grow_only_when_they_must_and_shrink_with_the_sources():
    state = DecodeState(TENSORS, width=1, max_sources=4)
    state.admit(chunk(2, 64))
    assert (state.source_length, state.revision) == (64, 1)
    state.admit(chunk(1, 32))
    assert (state.source_length, state.revision) == (64, 1)
    state.release([0, 1])
    state.admit(chunk(1, 16))
    assert state.source_length == 32, "the longest that is left has 32"


def test_a_source_that_was_moved_keeps_its_memory_when_buffers_change():
    state = DecodeState(TENSORS, width=1, max_sources=4)
    short, long = state.admit(chunk(1, 8)) + state.admit(chunk(1, 72))
    state.release([short])
    assert state.compact() == [(long, short)]
    state.admit(chunk(1, 136))
    assert (state.view("words")[0, :, :72] == 1).all()
    assert (state.view("bias")[0, :, :72] == 0).all()
    assert (state.view("bias")[0, :, 72:] == -np.inf).all()


def test_caches_double_and_start_small_again_when_everybody_has_left():
    state = DecodeState(TENSORS, width=1, max_sources=4)
    state.admit(chunk(1, 8))
    for _ in range(CAPACITY + 1):
        state.reserve()
        state.advance()
    assert state.capacity == 2 * CAPACITY
    state.release([0])
    state.admit(chunk(1, 8))
    state.reserve()
    assert state.capacity == CAPACITY


def test_a_state_without_memory_is_only_recurrent():
    state = DecodeState(ARCHITECTURES["recurrent without attention"], width=2, max_sources=3)
    first = np.float32([[1, 2, 3], [4, 5, 6]])
    assert state.admit({"thought": first}) == [0, 1]
    np.testing.assert_array_equal(state.view("thought"), first.repeat(2, axis=0))
    state.reserve()
    state.successor("thought")[...] = 7 + np.arange(4)[:, None]
    state.advance()
    state.release([0])
    assert state.compact() == [(1, 0)]
    assert state.view("thought")[:, 0].tolist() == [9, 10]
    assert state.reorder(np.array([[1, 1]])).tolist() == [[1, 0]]
    assert state.view("thought")[:, 0].tolist() == [10, 10]
    state.admit({"thought": first[:1]})
    assert (state.source_length, state.capacity) == (0, 0)
    assert state.revision == 0, "no buffer ever changes, so no binding has to"


def test_a_chunk_that_does_not_fit_is_refused():
    state = DecodeState(TENSORS, width=1, max_sources=2)
    with pytest.raises(ValueError, match="no room for 3"):
        state.admit(chunk(3, 8))
    with pytest.raises(ValueError, match="no multiple of 8"):
        state.admit(chunk(1, 12))
    with pytest.raises(ValueError, match="disagree"):
        state.admit(chunk(1, 8) | {"size": np.ones((2, 1), np.float32)})
