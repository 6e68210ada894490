"""What benchmarks leave behind."""

from __future__ import annotations

import json

import pytest
from benchmarks.environment import read_environment
from benchmarks.line_stream import StreamRun
from benchmarks.measurement import Spread
from benchmarks.results import Results
from benchmarks.scaling import chart as scaling_chart
from benchmarks.scaling import table as scaling_table
from benchmarks.serving_figures import Capacity, chart, table

CAPACITY = Capacity(
    unloaded={"ferryman": 0.02, "CTranslate2": 0.03},
    bound=0.09,
    setting="16 sentences, 2 ms",
    rates={"ferryman": [90.0, 100.0, 95.0], "CTranslate2": [50.0, 40.0, 50.0]},
    ratio=Spread(1.8, 1.9, 2.5),
)


def test_a_benchmark_leaves_a_table_and_two_files(tmp_path, capsys):
    environment = read_environment("numpy", "no-such-package")
    results = Results(tmp_path / "new", "serving")
    results.show(table(CAPACITY), environment)
    results.write(environment, {"capacity": CAPACITY})
    results.draw(lambda figure: chart(CAPACITY, figure), width=4, height=2)
    shown = capsys.readouterr().out
    assert "within 90 ms" in shown
    assert "40.00 / 50.00 / 50.00" in shown
    assert environment.commit in shown
    document = json.loads((tmp_path / "new" / "serving.json").read_text("utf-8"))
    assert document["capacity"]["rates"]["CTranslate2"] == [50.0, 40.0, 50.0]
    assert document["capacity"]["ratio"] == {"least": 1.8, "median": 1.9, "greatest": 2.5}
    assert list(document["environment"]["versions"]) == ["numpy"]
    assert (tmp_path / "new" / "serving.png").read_bytes().startswith(b"\x89PNG")


def test_what_has_no_form_in_json_is_refused(tmp_path):
    with pytest.raises(TypeError, match="no form in JSON"):
        Results(tmp_path, "any").write(read_environment(), {"set": {1}})


def test_files_of_different_length_are_rows_and_points(tmp_path, capsys):
    runs = [
        StreamRun(
            lines=lines,
            tokens=20 * lines,
            wall=lines / 100,
            cpu=lines / 200,
            resident=((0, 1 << 20), (lines // 2, 2 << 20), (lines, 3 << 20)),
        )
        for lines in (1000, 10_000)
    ]
    results = Results(tmp_path, "scaling")
    results.show(scaling_table(runs), read_environment())
    results.draw(lambda figure: scaling_chart(runs, figure), width=6, height=3)
    shown = capsys.readouterr().out
    assert "2,000" in shown  # tokens a second
    assert "4,000" in shown  # tokens a second of CPU time
    assert "+20.00" in shown  # a MiB in the second half of 1,000 lines
    assert "+2.00" in shown
    assert (tmp_path / "scaling.png").exists()
