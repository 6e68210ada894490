"""What a machine can do, what a step needs of it, and where its time goes."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.bandwidth import cache_sizes, least_seconds, places, read_rate
from benchmarks.gemm import Matrix, matrices_of, product_seconds
from benchmarks.step_floor import floor_of, state_bytes
from benchmarks.step_runs import OperatorShare, StepRun, operator_shares

from ferryman_bundle import Bundle

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.load(ROOT / "models" / "en-fr" / "ferryman_model_en_fr" / "bundle")


def test_data_caches_are_read_and_those_for_instructions_left_out(tmp_path):
    found = [("Data", 1, "48K"), ("Instruction", 1, "32K"), ("Unified", 2, "2M")]
    for number, description in enumerate(found):
        (tmp_path / f"index{number}").mkdir()
        for name, value in zip(("type", "level", "size"), description, strict=True):
            (tmp_path / f"index{number}" / name).write_text(f"{value}\n")
    assert cache_sizes(tmp_path) == {1: 48 << 10, 2: 2 << 20}
    assert cache_sizes(tmp_path / "none") == {}


def test_arrays_are_of_the_size_of_the_place_that_they_are_read_from():
    assert places({2: 1 << 20, 3: 1 << 22}) == {"L2": 1 << 19, "memory": 1 << 23}
    assert places({2: 2 << 20, 3: 480 << 20})["memory"] == 960 << 20
    assert places({2: 2 << 20, 3: 4 << 30})["memory"] == 1 << 30


def test_a_rate_is_a_rate_and_the_least_of_several_times_is_taken():
    assert 1e8 < read_rate(1 << 20) < 1e12
    calls = []
    assert 0 <= least_seconds(lambda: calls.append(1), 5) < 1
    assert len(calls) == 6


@pytest.mark.parametrize("variant", ["int8", "fp32"])
def test_every_product_of_a_step_is_found_in_either_variant(bundle, variant):
    found = matrices_of(bundle, "step", variant)
    layer = [(256, 768), (256, 256), (256, 256), (256, 256), (256, 1024), (1024, 256)]
    assert found == [Matrix(*shape) for shape in [*layer, *layer, (256, 8192)]]


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_a_product_takes_time_and_a_large_one_more(precision):
    small, large = Matrix(64, 64), Matrix(2048, 2048)
    assert 0 < product_seconds(small, 1, precision) < product_seconds(large, 32, precision)


def test_a_floor_takes_the_longer_of_multiplying_and_reading_for_each_product():
    bound_by_products, bound_by_memory = Matrix(10, 10), Matrix(100, 10)
    floor = floor_of(
        [bound_by_products, bound_by_memory],
        seconds=lambda matrix: {bound_by_products: 5.0, bound_by_memory: 2.0}[matrix],
        weight_bytes=4,
        state=500,
        rate=1000.0,
    )
    assert (floor.products, floor.weights, floor.state) == (7.0, 4.4, 0.5)
    assert floor.total == 5.0 + 4.0 + 0.5


def test_state_is_the_memory_of_sources_and_the_caches_of_hypotheses(bundle):
    tensors = bundle.manifest.variants["int8"].state
    bytes_read = state_bytes(tensors, sources=3, width=4, source_length=24, length=10)
    memory, bias, caches = 2 * 3 * 24 * 256, 3 * 24, 2 * 12 * 10 * 256
    assert bytes_read == 4 * (2 * memory + bias + 2 * caches)
    alone = state_bytes(tensors, sources=1, width=1, source_length=24, length=10)
    beam = state_bytes(tensors, sources=1, width=4, source_length=24, length=10)
    assert alone < beam < 4 * alone  # the memory is shared


def test_an_operator_counts_with_the_median_of_all_steps():
    def event(name: str, operator: str, duration: int) -> dict[str, object]:
        arguments = {"op_name": operator}
        return {"cat": "Node", "name": f"{name}_kernel_time", "dur": duration, "args": arguments}

    events = [event("a", "MatMul", 10), event("a", "MatMul", 12), event("a", "MatMul", 9_000)]
    events += [event("b", "MatMul", 3)] * 3 + [event("c", "Add", 40)] * 3
    events.append({"cat": "Session", "name": "model_run", "dur": 10_000})
    assert operator_shares(events) == [
        OperatorShare(operator="Add", seconds=40e-6, count=1),
        OperatorShare(operator="MatMul", seconds=15e-6, count=2),
    ]


def test_a_real_step_is_timed_and_profiled(bundle):
    run = StepRun(bundle, "int8", sources=2, source_length=7, steps=3)
    assert 0 < run.graph_seconds(2) < 10
    assert -1 < run.engine_seconds(2) < 10
    shares = {share.operator: share for share in run.profile()}
    assert shares["MatMulIntegerToFloat"].count == 13
    assert shares["GroupQueryAttention"].count == 2
    assert all(share.seconds >= 0 for share in shares.values())
