"""Several processes that `torchrun` starts: they learn as one does, and write once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from whole_runs import At, changed, contents, course, events, newest, run, write_config

from ferryman_training.checkpoint import Checkpoint
from ferryman_training.run_directory import RunDirectory

PATIENCE = 300.0
"""Seconds for two processes to import torch, find each other and train on a busy machine."""

TOLERANCE = 1e-5
"""Relative, of a loss: float32 sums over micro-batches are made in another order, and twelve
updates carry the difference on; 1.5e-6 was seen."""

FAMILIES = {
    "transformer": {},
    "recurrent": {
        "model": {
            "family": "recurrent", "cell": "gru", "width": 16, "attention": "luong",
            "encoder_layers": 1, "decoder_layers": 1,
        },
        "optimizer": {"truncate_targets": 4, "sampling": "linear", "sampling_halfway": 12},
    },
}  # fmt: skip


def torchrun(config, out: Path, *arguments: str, processes: int = 2) -> subprocess.CompletedProcess:
    path = write_config(config, out.with_suffix(".toml"))
    return subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone",
            "--nproc-per-node", str(processes), "-m", "ferryman_training", path, out, *arguments,
        ],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
        env={**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def losses(directory: Path) -> dict[tuple[str, int], float]:
    return {
        (event, step): told["loss"]
        for (event, step), told in course(directory).items()
        if event in ("update", "validation")
    }


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_two_processes_learn_as_one_and_another_number_goes_on(document, tmp_path, family):
    document["run"] |= {"precision": "float32", "log_every": 1, "average_last": 1}
    document["batch"]["micro_batches"] = 4
    document["optimizer"] |= {"schedule": "constant", "cooldown_steps": 0}
    whole = changed(document, **FAMILIES[family])
    run(whole, tmp_path / "one")

    shorter = whole.model_copy(update={"run": whole.run.model_copy(update={"steps": 9})})
    finished = torchrun(shorter, tmp_path / "two")
    assert finished.returncode == 0, finished.stderr
    assert "2 processes, from the beginning" in finished.stdout
    saved = [e["step"] for e in events(tmp_path / "two") if e["event"] == "checkpoint"]
    assert saved == [5, 6, 9]
    assert Checkpoint.load(tmp_path / "two").progress.step == 9

    display = At()
    run(whole, tmp_path / "two", display)
    assert "1 process, from step 9" in display.text
    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert {step for event, step in two if event == "update"} == set(range(1, 13))
    assert {at: two[at] for at in one} == pytest.approx(one, rel=TOLERANCE)
    ours, theirs = (Checkpoint.load(tmp_path / name).progress for name in ("one", "two"))
    assert (ours.step, ours.target_tokens) == (theirs.step, theirs.target_tokens)


@pytest.mark.slow
def test_faults_are_told_and_nothing_is_written(config, tmp_path):
    finished = torchrun(config, tmp_path / "out", processes=3)
    assert finished.returncode != 0
    assert "error: 3 processes: an update has batch.micro_batches = 2" in finished.stderr
    assert not (tmp_path / "out").exists()


def test_how_many_processes_is_decided_by_what_started_them(config, tmp_path):
    path = write_config(config, tmp_path / "config.toml")
    described = {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    command = [sys.executable, "-m", "ferryman_training", path, tmp_path / "out"]
    options = {"capture_output": True, "text": True, "env": os.environ | described}
    refused = subprocess.run([*command, "--processes", "2"], check=False, **options)
    assert refused.returncode == 2
    assert "decides how many" in refused.stderr
    alone = subprocess.run(command, check=True, **options)
    assert "1 process, from the beginning" in alone.stdout
    assert RunDirectory(tmp_path / "out").newest is not None
    before = contents(newest(tmp_path / "out"))
    subprocess.run(command, check=True, **options)
    assert contents(newest(tmp_path / "out")) == before
