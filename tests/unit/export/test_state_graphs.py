"""The state graphs do what the engine's own state does, row for row."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from ferryman_bundle import StateKind, StateTensor
from ferryman_export.state_graphs import state_graphs
from ferryman_server.engine.state import DecodeState, settle

SLOTS, LENGTH, CAPACITY = 6, 24, 64


def tensor(name, kind, shape, *, length_axis=None, padding=0.0, dtype="float32"):
    return StateTensor(
        name=name,
        kind=kind,
        dtype=dtype,
        shape=shape,
        length_axis=length_axis,
        padding=padding,
        output=None if kind is StateKind.MEMORY else f"present.{name}",
    )


MEMORY = [
    tensor("memory.key", StateKind.MEMORY, ("sources", 3, "source_length"), length_axis=2),
    tensor("memory.bias", StateKind.MEMORY, ("sources", 1, "source_length"), length_axis=2,
           padding=float("-inf")),
]  # fmt: skip
RECURRENT = [tensor("recurrent.hidden", StateKind.RECURRENT, ("hypotheses", 5))]
CACHE = [tensor("cache.key", StateKind.CACHE, ("hypotheses", 2, "capacity", 3), length_axis=2)]
DECLARED = {
    "attention": [*MEMORY, *RECURRENT],
    "no memory": RECURRENT,
    "caches": [*MEMORY, *CACHE],
    "all kinds": [*MEMORY, *RECURRENT, *CACHE],
}


class Device:
    """Pools that only the graphs change, each bound as its own successor."""

    def __init__(self, state, width, draw):
        self.width = np.array([width])
        sizes = {
            "sources": SLOTS,
            "hypotheses": SLOTS * width,
            "source_length": LENGTH,
            "capacity": CAPACITY,
        }
        self.pool = {
            t.name: draw.normal(size=[sizes.get(d, d) for d in t.shape]).astype(t.dtype)
            for t in state
        }
        self.sessions = {
            name: onnxruntime.InferenceSession(
                model.SerializeToString(), providers=["CPUExecutionProvider"]
            )
            for name, model in state_graphs(state).items()
        }

    def run(self, name, **inputs):
        session = self.sessions[name]
        binding = session.io_binding()
        wanted = {i.name for i in session.get_inputs()}
        given = {**self.pool, "width": self.width, **inputs}
        for own in sorted(wanted):
            array = np.ascontiguousarray(given[own])
            given[own] = array
            binding.bind_input(own, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        for output in session.get_outputs():
            array = self.pool[output.name.removeprefix("next.")]
            binding.bind_output(
                output.name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data
            )
        session.run_with_iobinding(binding)


def encoded(state, draw, count, length):
    sizes = {"sources": count, "hypotheses": count, "source_length": length}
    return {
        t.name: draw.normal(size=[sizes.get(d, d) for d in t.shape]).astype(np.float32)
        for t in state
        if t.kind is not StateKind.CACHE
    }


def agree(device, state, declared):
    """Compare all that a step would read."""
    for t in declared:
        expected = state.view(t.name)
        found = device.pool[t.name][: len(expected)]
        if t.kind is StateKind.MEMORY:
            length = state.source_length
            np.testing.assert_array_equal(found[..., :length], expected[..., :LENGTH])
            assert (found[..., length:] == t.padding).all()
        elif t.kind is StateKind.CACHE:
            for row, length in enumerate(state.lengths[: state.sources].ravel()):
                np.testing.assert_array_equal(found[row, :, :length], expected[row, :, :length])
        else:
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("kinds", ["attention", "caches", "all kinds"])
def test_a_running_batch_goes_the_same_way_on_both(kinds, width, seed):
    declared = DECLARED[kinds]
    draw = np.random.default_rng(seed)
    state = DecodeState(declared, width=width, max_sources=SLOTS)
    device = Device(declared, width, draw)
    for _ in range(40):
        room = SLOTS - state.sources
        if room and draw.random() < 0.6:
            # The engine pads to the longest source, the device to what it has.
            chunk = encoded(declared, draw, draw.integers(1, room + 1), draw.choice([8, 16, 24]))
            slots = state.admit(chunk)
            device.run(
                "admit",
                slots=np.array(slots),
                sources=np.arange(len(slots)),
                **{f"encoded.{name}": values for name, values in chunk.items()},
            )
        agree(device, state, declared)
        step(state, device, declared, draw)
        parents = draw.integers(0, width, (state.sources, width))
        rows, copied = settle(parents)
        first = np.arange(state.sources)[:, None] * width
        state.reorder(parents)
        device.run("reorder", sources=(first + parents)[copied], targets=(first + rows)[copied])
        agree(device, state, declared)
        state.release(np.flatnonzero(draw.random(state.sources) < 0.3).tolist())
        moves = np.array(state.compact(), np.int64).reshape(-1, 2)
        device.run("release", sources=moves[:, 0], targets=moves[:, 1])
        agree(device, state, declared)


def step(state, device, declared, draw):
    """Write new recurrent state, and one more position of every cache, into both."""
    state.reserve()
    at = state.lengths[: state.sources].ravel()
    for t in declared:
        rows = len(at)
        mine = device.pool[t.name]
        if t.kind is StateKind.RECURRENT:
            mine[:rows] = state.successor(t.name)[...] = draw.normal(size=(rows, *t.shape[1:]))
        elif t.kind is StateKind.CACHE:
            written = draw.normal(size=(rows, 2, 3)).astype(np.float32)
            for pool in (mine, state.view(t.name)):
                pool[np.arange(rows), :, at] = written
    state.advance()


def test_a_model_without_memory_needs_no_slots_but_rows(seed):
    draw = np.random.default_rng(seed)
    device = Device(RECURRENT, 2, draw)
    before = device.pool["recurrent.hidden"].copy()
    chunk = encoded(RECURRENT, draw, 2, 0)["recurrent.hidden"]
    device.run(
        "admit",
        slots=np.array([4, 1]),
        sources=np.arange(2),
        **{"encoded.recurrent.hidden": chunk},
    )
    expected = before.copy()
    expected[[8, 9]], expected[[2, 3]] = chunk[0], chunk[1]
    np.testing.assert_array_equal(device.pool["recurrent.hidden"], expected)


def test_rows_are_read_before_any_is_written(seed):
    device = Device(RECURRENT, 1, np.random.default_rng(seed))
    before = device.pool["recurrent.hidden"].copy()
    device.run("reorder", sources=np.array([0, 1, 2]), targets=np.array([1, 2, 0]))
    np.testing.assert_array_equal(device.pool["recurrent.hidden"][[1, 2, 0]], before[:3])
    np.testing.assert_array_equal(device.pool["recurrent.hidden"][3:], before[3:])


def test_halves_move_as_well(seed):
    halves = [t.model_copy(update={"dtype": "float16"}) for t in DECLARED["all kinds"]]
    draw = np.random.default_rng(seed)
    device = Device(halves, 2, draw)
    chunk = {name: v.astype(np.float16) for name, v in encoded(halves, draw, 2, 8).items()}
    given = {f"encoded.{name}": values for name, values in chunk.items()}
    device.run("admit", slots=np.array([3, 0]), sources=np.arange(2), **given)
    np.testing.assert_array_equal(device.pool["memory.key"][3, :, :8], chunk["memory.key"][0])
    assert np.isneginf(device.pool["memory.bias"][0, :, 8:]).all()
    np.testing.assert_array_equal(
        device.pool["recurrent.hidden"][:2], chunk["recurrent.hidden"][[1, 1]]
    )


@pytest.mark.parametrize("declared", DECLARED.values(), ids=DECLARED.keys())
def test_only_standard_operators_are_used(declared):
    for model in state_graphs(declared).values():
        assert {opset.domain for opset in model.opset_import} == {""}
        onnx.checker.check_model(model, full_check=True)
