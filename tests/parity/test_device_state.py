"""State that stays on a device: the same answers, bit for bit, as with state in pools of the host.

The device here is the host's own processor, through the very code that a GPU runs.
"""

from __future__ import annotations

import numpy as np
import pytest

from ferryman_bundle import StateKind
from ferryman_server.engine import Engine, Job, Search
from ferryman_server.engine.state import DecodeState
from ferryman_server.runtime import OnnxRuntime

PATIENCE = 120
"""Seconds."""
SLOTS = 5


@pytest.fixture(scope="module")
def host(bundle):
    return OnnxRuntime(bundle)


@pytest.fixture(scope="module")
def device(bundle):
    return OnnxRuntime(bundle, resident=True)


@pytest.fixture
def sources(bundle, draw):
    words = range(4, bundle.manifest.tokens.vocabulary_size)
    lengths = [1, 7, 8, 40, *draw.geometric(1 / 12, 12)]
    return [tuple(draw.choice(words, min(n, 100)).tolist()) for n in lengths]


def answers(runtime, sources, width):
    search = Search(beam_size=width, num_hypotheses=width, max_tokens=14)
    with Engine(runtime, max_rows=4 * width) as engine:
        futures = engine.submit([Job(source=source, search=search) for source in sources])
        return [future.result(PATIENCE).hypotheses for future in futures]


@pytest.mark.parametrize("width", [1, 3])
def test_answers_are_the_same_to_the_last_bit(host, device, sources, width):
    assert answers(device, sources, width) == answers(host, sources, width)


@pytest.mark.parametrize("width", [1, 2])
def test_what_a_step_reads_is_the_same_after_any_coming_and_going(
    bundle, host, device, sources, width, draw
):
    ours, theirs = (each.decoder(width=width, max_sources=SLOTS) for each in (device, host))
    for _ in range(25):
        room = SLOTS - theirs.state.sources
        if room and (draw.random() < 0.5 or not theirs.state.sources):
            chunk = [sources[i] for i in draw.integers(0, len(sources), draw.integers(1, room + 1))]
            chosen = sorted(draw.choice(len(chunk), draw.integers(1, len(chunk) + 1), False))
            for decoder, runtime in ((ours, device), (theirs, host)):
                for slot in decoder.state.admit(runtime.encode(chunk), chosen):
                    decoder.input_ids[slot] = runtime.bos
        for decoder in (ours, theirs):
            decoder.step(1)
        agree(ours.state, theirs.state, bundle.manifest.variants["fp32"].state)
        parents = draw.integers(0, width, (theirs.state.sources, width))
        np.testing.assert_array_equal(ours.state.reorder(parents), theirs.state.reorder(parents))
        leaving = np.flatnonzero(draw.random(theirs.state.sources) < 0.3).tolist()
        for state in (ours.state, theirs.state):
            state.release(leaving)
            state.compact()
        agree(ours.state, theirs.state, bundle.manifest.variants["fp32"].state)


def agree(ours: DecodeState, theirs: DecodeState, declared):
    """Compare all that a step would read."""
    for tensor in declared:
        expected = theirs.view(tensor.name)
        found = ours.view(tensor.name).value.numpy()[: len(expected)]
        if tensor.kind is StateKind.MEMORY and tensor.length_axis is not None:
            found = np.moveaxis(found, tensor.length_axis, -1)
            expected = np.moveaxis(expected, tensor.length_axis, -1)
            length = min(found.shape[-1], expected.shape[-1])
            np.testing.assert_array_equal(found[..., :length], expected[..., :length])
            assert (found[..., length:] == tensor.padding).all()
        elif tensor.kind is StateKind.CACHE:
            for row, length in enumerate(theirs.lengths[: theirs.sources].ravel()):
                np.testing.assert_array_equal(found[row, :, :length], expected[row, :, :length])
        else:
            np.testing.assert_array_equal(found, expected)


def test_the_memory_is_what_was_said_before(bundle, device):
    declared = device.state_bytes(width=2, max_sources=3)
    storage = device.decoder(width=2, max_sources=3).state
    assert storage.nbytes == declared
    assert declared > 0
    assert OnnxRuntime(bundle).state_bytes(width=2, max_sources=3) == 0
