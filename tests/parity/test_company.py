"""A sentence gets the same bits whatever its company, padding, capacity and place.

Run the way the engine runs the graphs: caches are a pool whose first rows are bound as input and
output at once, so that a step writes in place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from ferryman_bundle import StateKind
from ferryman_bundle.tokenizer import BOS


@dataclass(frozen=True)
class Script:
    """A source, what is fed to its hypotheses step by step, and when it joins."""

    source: tuple
    fed: np.ndarray
    """(steps, W)."""
    joins: int = 0
    candidates: int = 1


def padded_memory(runner, state, scripts, length):
    """Encode every source alone, pad to `length`, and put them side by side."""
    encoded = [runner.encode([script.source]) for script in scripts]
    memory = {}
    for tensor in state:
        if tensor.kind is not StateKind.MEMORY:
            continue
        parts = []
        for one in encoded:
            part = one[tensor.name]
            widths = [(0, 0)] * part.ndim
            widths[tensor.length_axis] = (0, length - part.shape[tensor.length_axis])
            parts.append(np.pad(part, widths, constant_values=tensor.padding))
        memory[tensor.name] = np.concatenate(parts)
    return memory


def play(runner, state, scripts, *, length=None, capacity=None, spare_rows=0):
    """Step all scripts together and return what each saw: candidates and its caches."""
    width = scripts[0].fed.shape[1]
    rows = len(scripts) * width
    steps = max(script.joins + len(script.fed) for script in scripts)
    longest = max(len(script.fed) for script in scripts)
    length = length or max(len(script.source) // 8 * 8 + 8 for script in scripts)
    memory = padded_memory(runner, state, scripts, length)
    # Rubbish where nothing was written yet: it must not be read.
    pool = {
        name: np.full((rows + spare_rows, *tensor.shape[1:]), 1e3, np.float32)
        for name, tensor in runner.empty_caches(rows, capacity or longest).items()
    }
    seen = [[] for _ in scripts]
    for t in range(steps):
        # A script that is not there yet, or is over, keeps its rows busy at its first position.
        at = np.array([t - s.joins if 0 <= t - s.joins < len(s.fed) else 0 for s in scripts])
        active = [0 <= t - s.joins < len(s.fed) for s in scripts]
        keep = {name: tensor.copy() for name, tensor in pool.items()}
        ids = np.stack([s.fed[p] for s, p in zip(scripts, at, strict=True)])
        lengths = np.repeat(at, width).astype(np.int32)
        k = scripts[0].candidates
        log_probs, best = step_in_place(runner, state, ids, lengths, memory, pool, candidates=k)
        for i in range(len(scripts)):
            mine = slice(i * width, (i + 1) * width)
            if active[i]:
                seen[i].append((log_probs[mine].tobytes(), best[mine].tolist()))
            else:
                for name, tensor in pool.items():
                    tensor[mine] = keep[name][mine]
    for i, script in enumerate(scripts):
        mine = slice(i * width, (i + 1) * width)
        seen[i].append([t[mine, :, : len(script.fed)].tobytes() for t in pool.values()])
    assert all((tensor[rows:] == 1e3).all() for tensor in pool.values())
    return seen


def step_in_place(runner, state, ids, lengths, memory, pool, *, candidates):
    """Run the step graph with the first rows of every cache bound as input and output."""
    rows = len(lengths)
    log_probs = np.empty((rows, candidates), np.float32)
    best = np.empty((rows, candidates), np.int64)
    total = np.array([lengths.max() + 1], np.int32)
    inputs = {
        "input_ids": np.ascontiguousarray(ids),
        "past_lengths": lengths,
        "total_length": total,
        "candidates": np.array([candidates]),
        **memory,
    }
    binding = runner._step.io_binding()

    def bind(place, name, array, shape):
        place(name, "cpu", 0, array.dtype.type, shape, array.ctypes.data)

    for name, array in inputs.items():
        bind(binding.bind_input, name, array, array.shape)
    bind(binding.bind_output, "candidate_log_probs", log_probs, log_probs.shape)
    bind(binding.bind_output, "candidate_ids", best, best.shape)
    for tensor in state:
        if tensor.kind is StateKind.CACHE:
            array = pool[tensor.name]
            shape = (rows, *array.shape[1:])
            bind(binding.bind_input, tensor.name, array, shape)
            bind(binding.bind_output, tensor.output, array, shape)
    runner._step.run_with_iobinding(binding)
    return log_probs, best


@pytest.fixture(scope="module")
def scripts(request, tokens):
    """32 sources of 1 to about 150 tokens with 12 steps of 4 hypotheses each."""
    draw = np.random.default_rng(request.config.option.seed)
    lengths = draw.permutation(
        np.r_[1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 65, 150, draw.integers(3, 90, 20)]
    )
    vocabulary = np.arange(4, 600)
    made = []
    for length in lengths:
        fed = draw.choice(vocabulary, (12, 4))
        fed[0] = BOS
        made.append(Script(tuple(draw.choice(vocabulary, length).tolist()), fed))
    return made


# One candidate a row makes the smallest arrays, and 3 and 5 rows that no vector holds exactly.
@pytest.fixture(
    scope="module",
    params=[(1, 1), (1, 3), (4, 5), (4, 8)],
    ids=lambda param: "beam of {}, {} candidates".format(*param),
)
def alone(request, runner, state, scripts):
    """The scripts of one beam width, and what each sees when it is alone."""
    width, k = request.param
    chosen = [replace(s, fed=np.ascontiguousarray(s.fed[:, :width]), candidates=k) for s in scripts]
    return chosen, [play(runner, state, [script])[0] for script in chosen]


@pytest.mark.parametrize("company", [2, 7, 32])
def test_company_changes_no_bit(runner, state, alone, company):
    scripts, expected = alone
    for start in range(0, len(scripts) - company + 1, company):
        assert (
            play(runner, state, scripts[start : start + company])
            == expected[start : start + company]
        )


@pytest.mark.parametrize("length", [160, 256, 264, 520])
def test_padding_of_sources_changes_no_bit(runner, state, alone, length):
    scripts, expected = alone
    assert play(runner, state, scripts[:9], length=length) == expected[:9]


@pytest.mark.parametrize("capacity", [13, 40, 300])
def test_capacity_and_place_in_the_pool_change_no_bit(runner, state, alone, capacity):
    scripts, expected = alone
    found = play(runner, state, scripts[:9][::-1], capacity=capacity, spare_rows=5)
    assert found[::-1] == expected[:9]


def test_joining_late_changes_no_bit(runner, state, alone):
    """Rows of all lengths in one step, as when requests join a running batch."""
    scripts, expected = alone
    late = [replace(s, joins=(5 * i) % 11) for i, s in enumerate(scripts[:12])]
    assert play(runner, state, late, capacity=24) == expected[:12]


def test_the_encoder_gives_a_source_the_same_bits_in_any_company(runner, state, scripts, draw):
    sources = [script.source for script in scripts]
    alone = [runner.encode([source]) for source in sources]
    for _ in range(6):
        order = draw.permutation(len(sources))[: draw.integers(2, 20)]
        together = runner.encode([sources[i] for i in order])
        for row, i in enumerate(order):
            length = len(sources[i]) + 1
            for tensor in state:
                if tensor.kind is StateKind.MEMORY:
                    expected = alone[i][tensor.name][0].take(range(length), tensor.length_axis - 1)
                    found = together[tensor.name][row].take(range(length), tensor.length_axis - 1)
                    assert found.tobytes() == expected.tobytes()


def test_writing_in_place_equals_writing_anew(runner, state, alone):
    scripts, expected = alone
    script = scripts[4]
    width = script.fed.shape[1]
    values = {**runner.encode([script.source]), **runner.empty_caches(width, len(script.fed))}
    for t, ids in enumerate(script.fed):
        lengths = np.full(width, t, np.int32)
        log_probs, best, values = runner.step(
            ids[None], lengths, values, candidates=script.candidates
        )
        assert (log_probs.tobytes(), best.tolist()) == expected[4][t]
