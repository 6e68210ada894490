"""A storage on a device holds what pools of the host hold, recurrent state on both sides included.

The device is the host's own processor.
"""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from ferryman_bundle import StateKind, StateTensor
from ferryman_export.state_graphs import state_graphs
from ferryman_server.engine.state import DecodeState
from ferryman_server.runtime.device_storage import DeviceStorage, Extents, state_bytes

SLOTS = 5
EXTENTS = Extents(source_length=24, capacity=12)


def tensor(name, kind, shape, *, length_axis=None, padding=0.0):
    output = None if kind is StateKind.MEMORY else name.replace(".", ".next.")
    return StateTensor(
        name=name,
        kind=kind,
        dtype="float32",
        shape=shape,
        length_axis=length_axis,
        padding=padding,
        output=output,
    )


ENCODED = [
    tensor("memory.words", StateKind.MEMORY, ("sources", "source_length", 3), length_axis=1),
    tensor(
        "memory.bias",
        StateKind.MEMORY,
        ("sources", 1, "source_length"),
        length_axis=2,
        padding=-np.inf,
    ),
    tensor("recurrent.hidden", StateKind.RECURRENT, ("hypotheses", 4)),
]
TENSORS = [
    *ENCODED,
    # The encoder returns none of it: it starts as padding.
    tensor("recurrent.fed", StateKind.RECURRENT, ("hypotheses", 2), padding=0.5),
]


def storage(tensors, width):
    sessions = {
        name: onnxruntime.InferenceSession(
            graph.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        for name, graph in state_graphs(tensors).items()
    }
    return DeviceStorage(
        tensors, sessions, extents=EXTENTS, width=width, max_sources=SLOTS, device="cpu"
    )


def encoded(draw, count, length):
    sizes = {"sources": count, "hypotheses": count, "source_length": length}
    return {
        t.name: draw.normal(size=[sizes.get(d, d) for d in t.shape]).astype(np.float32)
        for t in ENCODED
    }


def values(state, name):
    view = state.view(name)
    return view.value.numpy()[: view.shape[0]]


def step(ours, theirs, draw):
    """Write the same successors on both."""
    for name in ("recurrent.hidden", "recurrent.fed"):
        new = theirs.successor(name)
        new[...] = draw.normal(size=new.shape)
        place = ours.successor(name).value
        whole = place.numpy().copy()
        whole[: len(new)] = new
        place.update_inplace(whole)
    for state in (ours, theirs):
        state.reserve()
        state.advance()


def agree(ours, theirs):
    for t in TENSORS:
        found, expected = values(ours, t.name), theirs.view(t.name)
        if t.kind is StateKind.MEMORY:
            found, expected = (np.moveaxis(x, t.length_axis, -1) for x in (found, expected))
            length = expected.shape[-1]
            assert (found[..., length:] == t.padding).all()
            found = found[..., :length]
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("width", [1, 3])
def test_a_running_batch_goes_the_same_way_on_both(width, seed):
    draw = np.random.default_rng(seed)
    theirs = DecodeState(TENSORS, width=width, max_sources=SLOTS)
    ours = DecodeState(TENSORS, width=width, max_sources=SLOTS, storage=storage(TENSORS, width))
    for _ in range(60):
        room = SLOTS - theirs.sources
        if room and draw.random() < 0.6:
            count = int(draw.integers(1, room + 1))
            chunk = encoded(draw, count, int(draw.choice([8, 16])))
            chosen = sorted(draw.choice(count, draw.integers(1, count + 1), False).tolist())
            assert ours.admit(chunk, chosen) == theirs.admit(chunk, chosen)
        agree(ours, theirs)
        step(ours, theirs, draw)
        agree(ours, theirs)
        parents = draw.integers(0, width, (theirs.sources, width))
        np.testing.assert_array_equal(ours.reorder(parents), theirs.reorder(parents))
        leaving = np.flatnonzero(draw.random(theirs.sources) < 0.3).tolist()
        for state in (ours, theirs):
            state.release(leaving)
        assert ours.compact() == theirs.compact()
        agree(ours, theirs)


def test_what_is_longer_than_the_longest_is_refused(seed):
    state = DecodeState(TENSORS, width=1, max_sources=SLOTS, storage=storage(TENSORS, 1))
    with pytest.raises(ValueError, match="the source length 32 is over 24"):
        state.admit(encoded(np.random.default_rng(seed), 1, 32))


def test_bytes_are_counted_with_both_sides_of_recurrent_state():
    words, bias = 24 * 3 * 4, 24 * 4
    expected = SLOTS * (words + bias) + 2 * SLOTS * 3 * (4 + 2) * 4
    assert state_bytes(TENSORS, EXTENTS, sources=SLOTS, width=3) == expected
    assert storage(TENSORS, 3).nbytes == expected
