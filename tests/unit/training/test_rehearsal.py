"""What a dry run foretells is what the run then takes."""

from __future__ import annotations

from pathlib import Path

from whole_runs import At, changed, events, run

from ferryman_training.durability import write_directory
from ferryman_training.rehearsal import Rehearsal, rehearse
from ferryman_training.replicas import Replicas
from ferryman_training.reporting import Reporter


def foretell(config, directory: Path) -> Rehearsal:
    reporter = Reporter(config, At(), log=None)
    return rehearse(config, directory, reporter=reporter, replicas=Replicas())


def size(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def test_counts_and_sizes_are_those_of_the_run(document, tmp_path, monkeypatch):
    config = changed(
        document,
        model={"width": 64},
        corpus={"placeholder_share": 0.0},
        run={"validate_every": 2, "keep_last": 2, "keep_best": 2},
    )
    expected = foretell(config, tmp_path / "none")
    assert not (tmp_path / "none").exists()

    greatest = 0

    def measured(path, fill):
        nonlocal greatest
        write_directory(path, fill)
        greatest = max(greatest, size(path.parent))

    monkeypatch.setattr("ferryman_training.run_directory.write_directory", measured)
    progress = run(config, tmp_path / "run")
    told = {event["event"]: event for event in events(tmp_path / "run")}
    assert expected.parameters == told["start"]["parameters"]
    assert expected.target_tokens == told["corpus"]["target_tokens"]
    assert expected.pairs == told["corpus"]["kept"]
    assert expected.steps == progress.step
    assert 0.5 * expected.disk < greatest < expected.disk * 1.05  # the small files are not counted
