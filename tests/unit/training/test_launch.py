"""The command as a person uses it: real processes, real signals, real faults."""

from __future__ import annotations

import copy
import fcntl
import io
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
import tomli_w
from rich.console import Console
from typer.testing import CliRunner

from ferryman_training.checkpoint import Checkpoint
from ferryman_training.commands.train import app
from ferryman_training.config import load_config
from ferryman_training.corpus_config import BatchConfig
from ferryman_training.display import PlainDisplay
from ferryman_training.errors import ConfigError
from ferryman_training.launch import choose_processes
from ferryman_training.replicas import Replicas
from ferryman_training.reporting import Reporter
from ferryman_training.run_directory import RunDirectory
from ferryman_training.trainer import train

PATIENCE = 120.0
"""Seconds that a test waits for a process on a busy machine."""

ENDLESS = {"steps": 1_000_000, "validate_every": 1_000_000}


@pytest.fixture(scope="module")
def config_file(pristine_document, tmp_path_factory) -> Path:
    """A run that goes on until it is stopped; its end may be moved, since nothing depends on it."""
    document = copy.deepcopy(pristine_document)
    document["batch"]["micro_batches"] = 4
    document["optimizer"] |= {"schedule": "constant", "cooldown_steps": 0}
    document["run"] |= {"log_every": 1, "checkpoint_every": 4, "average_last": 1} | ENDLESS
    path = tmp_path_factory.mktemp("config") / "config.toml"
    path.write_text(tomli_w.dumps(document), "utf-8")
    return path


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ferryman_training", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in err, err
    return process.returncode, out, err


def events(directory: Path) -> list[dict]:
    log = directory / "log.jsonl"
    lines = log.read_text("utf-8").splitlines() if log.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def wait_for(directory: Path, event: str, *, after: int = 0) -> int:
    """Return the step of an event past a step, once the log has it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        steps = [e["step"] for e in events(directory) if e["event"] == event]
        if steps and steps[-1] > after:
            return steps[-1]
        assert time.monotonic() < deadline, f"{directory} has no {event} past step {after}"
        time.sleep(0.02)


def losses(directory: Path) -> list[float]:
    """Return the loss of every update; what was done again counts once."""
    found = {e["step"]: e["loss"] for e in events(directory) if e["event"] == "update"}
    return [found[step] for step in sorted(found)]


def workers_of(launcher: subprocess.Popen[str]) -> list[int]:
    """Return the process ids of the workers, by rank."""
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text("ascii")
    return sorted(int(pid) for pid in children.split())


def train_here(config_file: Path, directory: Path, *, steps: int) -> None:
    """Train without a stop, in this process."""
    config = load_config(config_file, [f"run.steps={steps}"])
    display = PlainDisplay(Console(file=io.StringIO()))
    reporter = Reporter(config, display, log=directory / "log.jsonl")
    train(config, directory, reporter=reporter, replicas=Replicas())


def test_a_run_that_is_killed_and_started_again_comes_to_the_same_bits(config_file, tmp_path):
    out = tmp_path / "killed"
    process = start(config_file, out, "--processes", 1)
    wait_for(out, "checkpoint", after=3)
    [worker] = workers_of(process)
    os.kill(worker, signal.SIGKILL)
    status, _, err = finish(process)
    assert status == 1
    assert "training process 0 was ended by SIGKILL, as when memory runs out" in err
    assert "goes on from the last checkpoint" in err

    steps = events(out)[-1]["step"] + 5
    resumed = start(config_file, out, "--processes", 1, "--set", f"run.steps={steps}")
    status, talk, err = finish(resumed)
    assert (status, err) == (0, "")
    assert re.search(r"1 process, from step \d+\n", talk)
    assert f"Finished: the model is in {out}" in talk

    train_here(config_file, tmp_path / "whole", steps=steps)
    ours, whole = RunDirectory(out).newest, RunDirectory(tmp_path / "whole").newest
    for name in ("model.safetensors", "progress.json"):
        assert (ours / name).read_bytes() == (whole / name).read_bytes()
    assert losses(out) == losses(tmp_path / "whole")


def test_two_processes_one_lost_then_stopped_then_alone_learn_as_one(config_file, tmp_path):
    out = tmp_path / "two"
    process = start(config_file, out, "--processes", 2)
    reached = wait_for(out, "checkpoint", after=3)
    os.kill(workers_of(process)[1], signal.SIGKILL)
    status, talk, err = finish(process)
    assert status == 1
    assert "2 processes, from the beginning" in talk
    assert "training process 1 was ended by SIGKILL" in err

    process = start(config_file, out)
    wait_for(out, "update", after=events(out)[-1]["step"] + 5)
    process.send_signal(signal.SIGTERM)
    status, talk, err = finish(process)
    assert (status, err) == (130, "")
    assert "Run the same command again to go on." in talk
    stopped = Checkpoint.load(out).progress.step
    assert stopped > reached

    steps = stopped + 5
    config = load_config(config_file, [f"run.steps={steps}"])
    reporter = Reporter(config, PlainDisplay(Console(file=io.StringIO())), out / "log.jsonl")
    train(config, out, reporter=reporter, replicas=Replicas())
    train_here(config_file, tmp_path / "one", steps=steps)
    # Sums of four gradients in another order, so bfloat16 roundings part after some updates.
    assert losses(out)[:10] == pytest.approx(losses(tmp_path / "one")[:10], rel=1e-3)
    assert losses(out) == pytest.approx(losses(tmp_path / "one"), rel=0.05)


def test_ctrl_c_on_a_terminal_stops_with_a_checkpoint_and_a_whole_picture(config_file, tmp_path):
    out = tmp_path / "run"
    pid, terminal = pty.fork()
    if pid == 0:
        arguments = ["-m", "ferryman_training", str(config_file), str(out), "--processes", "1"]
        os.execv(sys.executable, [sys.executable, *arguments])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    screen = bytearray()
    deadline = time.monotonic() + PATIENCE
    interrupted = False
    while time.monotonic() < deadline:
        try:
            screen += os.read(terminal, 65536)
        except OSError:  # the terminal is closed: all its processes have ended
            break
        if not interrupted and b"perplexity" in screen:
            os.write(terminal, b"\x03")
            interrupted = True
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    text = screen.decode()
    assert os.waitstatus_to_exitcode(status) == 130, text
    assert "Traceback" not in text
    for part in ("tokens/s", "BLEU", "left", "Stopped after step"):
        assert part in text
    assert text.rstrip().endswith("\x1b[?25h")  # the cursor is back
    assert Checkpoint.load(out).progress.step > 0


def test_workers_do_not_outlive_a_launcher_that_is_killed(config_file, tmp_path):
    process = start(config_file, tmp_path, "--processes", 1)
    wait_for(tmp_path, "update")
    process.kill()
    process.communicate(timeout=PATIENCE)
    step = wait_for(tmp_path, "stop")
    assert Checkpoint.load(tmp_path).progress.step == step


def test_a_fault_that_every_process_meets_is_told_once(config_file, tmp_path):
    bad = tmp_path / "bad.tsv"
    bad.write_bytes(b"a b\tb a\n\xff\tx\n")
    out = tmp_path / "run"
    process = start(config_file, out, "--processes", 2, "--set", f"corpus.train={bad}")
    status, _, err = finish(process)
    assert status == 1
    assert err == f"error: {bad}:2: is not UTF-8 (invalid start byte)\n"
    assert {path.name for path in out.iterdir()} == {".lock", "cache"}
    assert not [path for path in (out / "cache").iterdir() if path.suffix != ".lock"]


def test_a_dry_run_measures_and_writes_nothing(config_file, tmp_path):
    process = start(config_file, tmp_path / "run", "--dry-run", "--processes", 2)
    status, talk, err = finish(process)
    assert (status, err) == (0, "")
    assert re.search(r"target tokens an epoch +[\d,]+\n", talk)
    for name in ("parameters", "updates of the run", "memory", "disk", "speed", "time for the run"):
        assert name in talk
    assert re.search(r"time for an epoch +\d+ s\n", talk)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--set", "model.heads=7"], 2, "model.heads: 7 does not divide model.width 16"),
        (["--set", "corpus.valid=none.tsv"], 1, "corpus.valid: there is no file /"),
        (["--processes", "5"], 2, "5 processes: an update has batch.micro_batches = 4"),
        (["--processes", "0"], 2, "greater than or equal to 1"),
    ],
)
def test_mistakes_are_found_before_any_process_starts(
    config_file, tmp_path, monkeypatch, arguments, status, message
):
    monkeypatch.setattr("ferryman_training.launch.launch", lambda *_, **__: pytest.fail("started"))
    result = CliRunner().invoke(app, [str(config_file), str(tmp_path / "out"), *arguments])
    assert result.exit_code == status
    assert message in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_file_in_place_of_the_folder_is_refused(config_file):
    result = CliRunner().invoke(app, [str(config_file), str(config_file)])
    assert result.exit_code == 1
    assert "is a file" in result.stderr


def test_help_is_given_without_torch():
    program = (
        "import sys; from ferryman_training.commands.train import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: print('torch' in sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "--dry-run" in shown.stdout
    assert shown.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("cores", "micro_batches", "device", "expected"),
    [(2, 2, "cpu", 2), (4, 6, "cpu", 3), (64, 4, "cpu", 4), (3, 1, "cpu", 1), (8, 8, "auto", 1)],
)
def test_by_default_processes_fill_the_cores_and_share_an_update_evenly(
    config, monkeypatch, cores, micro_batches, device, expected
):
    monkeypatch.setattr("ferryman_training.launch.usable_cores", lambda: cores)
    batch = BatchConfig(micro_batches=micro_batches)
    run = config.run.model_copy(update={"device": device})
    wanted = config.model_copy(update={"batch": batch, "run": run})
    assert choose_processes(wanted, None) == expected
    assert choose_processes(wanted, micro_batches) == micro_batches
    with pytest.raises(ConfigError, match="no work"):
        choose_processes(wanted, micro_batches + 1)
