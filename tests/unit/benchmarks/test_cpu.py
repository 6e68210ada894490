"""The comparison with CTranslate2, at a size that says nothing about either."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure
from rich.console import Console

pytest.importorskip("ctranslate2", reason="CTranslate2 is in the benchmark's environment only")

from benchmarks import cpu_runs
from benchmarks.cpu_figures import chart, table
from benchmarks.ctranslate2_format import convert
from benchmarks.ctranslate2_settings import Setting
from benchmarks.loads import read_sources
from benchmarks.workloads import Bounds, Workload

from ferryman_bundle import Bundle

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "tests" / "data" / "sample.en-fr.tsv"
BOUNDS = {"tiny": Bounds(floor=1.0, aim=2.0)}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> cpu_runs.Model:
    bundle = Bundle.load(ROOT / "models" / "en-fr" / "ferryman_model_en_fr" / "bundle")
    folder = tmp_path_factory.mktemp("converted")
    convert(bundle, folder)
    return cpu_runs.Model("tiny", bundle, folder, read_sources(bundle, SAMPLE, 8))


def test_both_engines_compute_the_same_in_float32(model):
    assert cpu_runs.shared_greedy_answers(model, 8) == 1.0


@pytest.mark.parametrize(
    "workload",
    [
        Workload(name="file", workers=2, bounds=BOUNDS),
        Workload(name="beam", precision="fp32", beam_size=2, group=4, bounds=BOUNDS),
    ],
    ids=lambda workload: workload.name,
)
def test_a_workload_is_measured_in_rounds_and_shown(model, workload, monkeypatch):
    monkeypatch.setattr(cpu_runs, "settings_for", lambda _: [Setting(2), Setting(64, "tokens")])
    measured = cpu_runs.measure(workload, model, rounds=2)
    assert measured.sentences == 8
    assert measured.setting in ("2 examples", "64 tokens")
    assert len(measured.ours) == len(measured.theirs) == 2
    assert measured.identical > 0.5
    first = measured.theirs[0].cpu / measured.ours[0].cpu
    assert measured.cpu_ratio.least <= first <= measured.cpu_ratio.greatest
    console = Console(record=True, width=160)
    console.print(table([measured]))
    assert measured.cpu_ratio.render() in console.export_text()
    figure = Figure()
    chart([measured], figure)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        f"tiny: {workload.name}"
    ]
