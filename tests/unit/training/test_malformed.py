"""What a person may get wrong and what may break: a clear line, a status, and nothing overwritten.

All of these are real processes.
"""

from __future__ import annotations

import os
import pickle
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tomli_w
from whole_runs import At, Crash, changed, contents, crash, differences, newest, run, write_config

pytestmark = pytest.mark.slow

PATIENCE = 300.0
"""Seconds for a process on a busy machine."""

TINY_FILES = 600_000
"""Bytes that a file may have: more than the tokenizer, less than the state of `WIDE`."""

WIDE = {"width": 64, "feed_forward": 256}


class Malice:
    """A pickle that makes a file when it is read."""

    def __init__(self, witness: Path) -> None:
        self._witness = witness

    def __reduce__(self):
        return os.mkdir, (str(self._witness),)


def start(module: str, *arguments: object, **options) -> subprocess.CompletedProcess[str]:
    finished = subprocess.run(
        [sys.executable, "-m", f"ferryman_training{module}", *map(str, arguments)],
        capture_output=True, text=True, timeout=PATIENCE, check=False, **options,
    )  # fmt: skip
    assert "Traceback" not in finished.stderr, finished.stderr
    return finished


@pytest.fixture(scope="module")
def finished(pristine_document, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("finished") / "run"
    run(changed(pristine_document), directory)
    return directory


@pytest.fixture
def begun(finished, document, tmp_path) -> tuple[Path, Path]:
    """The config of a longer run, and the directory that it would go on in."""
    shutil.copytree(finished, tmp_path / "run", symlinks=True)
    config = changed(document, run={"steps": 14})
    return write_config(config, tmp_path / "config.toml"), tmp_path / "run"


def unchanged(directory: Path, before: dict[Path, bytes]) -> bool:
    """Return whether nothing was overwritten; the log may have grown."""
    after = contents(directory)
    return all(after[path].startswith(data) for path, data in before.items())


@pytest.mark.parametrize("damage", ["truncated", "pickle"])
def test_a_damaged_state_is_refused_and_no_pickle_is_run(begun, tmp_path, damage):
    config, directory = begun
    path = newest(directory) / "resume.pt"
    data = path.read_bytes()
    witness = tmp_path / "witness"
    damaged = {
        "truncated": data[: len(data) // 2],
        "pickle": pickle.dumps({"optimizer": Malice(witness)}),
    }
    path.write_bytes(damaged[damage])
    before = contents(directory)
    refused = start(".worker", config, directory)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"error: {path}: is damaged (")
    assert refused.stderr.count("\n") == 1
    assert unchanged(directory, before)
    assert not witness.exists()


@pytest.mark.parametrize("damage", ["truncated", "pickle"])
def test_damaged_weights_are_refused_and_no_pickle_is_run(finished, tmp_path, damage):
    directory = tmp_path / "run"
    shutil.copytree(finished, directory, symlinks=True)
    path = newest(directory) / "model.safetensors"
    witness = tmp_path / "witness"
    data = path.read_bytes()
    path.write_bytes(pickle.dumps(Malice(witness)) if damage == "pickle" else data[:-1])
    refused = start(".commands.average", directory, "-o", tmp_path / "mean")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"error: {path}: is damaged: ")
    assert not (tmp_path / "mean").exists()
    assert not witness.exists()


def test_a_config_that_is_no_toml_is_refused(tmp_path):
    (tmp_path / "config.toml").write_bytes(b"\x00\xff{json}")
    refused = start("", tmp_path / "config.toml", tmp_path / "out")
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"error: {tmp_path}/config.toml: is not valid TOML")
    assert not (tmp_path / "out").exists()


def test_every_fault_of_a_config_is_listed_with_its_path(document, tmp_path):
    document["model"]["heads"] = 7
    document["optimizer"] |= {"schedule": "linear", "truncate_targets": 3}
    document["run"] |= {"metric": "ter", "keep_best": 0}
    (tmp_path / "config.toml").write_text(tomli_w.dumps(document), "utf-8")
    refused = start("", tmp_path / "config.toml", tmp_path / "out")
    assert refused.returncode == 2
    paths = [line.strip().partition(":")[0] for line in refused.stderr.splitlines()[1:]]
    assert paths == ["model.heads", "optimizer.schedule", "run.metric", "run.keep_best"]


def test_the_directory_of_another_run_is_refused(begun, tmp_path, document):
    _, directory = begun
    other = changed(document, run={"seed": 5}, optimizer={"kind": "sgd"})
    before = contents(directory)
    config = write_config(other, tmp_path / "other.toml")
    refused = start(".worker", config, directory)
    assert refused.returncode == 1
    assert "holds another run; choose another directory" in refused.stderr
    assert "optimizer.kind: 'muon' there, 'sgd' here" in refused.stderr
    assert "run.seed: 20261121 there, 5 here" in refused.stderr
    assert contents(directory) == before


def limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (TINY_FILES, TINY_FILES))


def test_a_disk_that_fills_up_leaves_the_last_checkpoint_and_says_so(document, tmp_path):
    config = changed(document, model=WIDE)
    run(config, tmp_path / "whole")
    path = write_config(config, tmp_path / "config.toml")
    directory = tmp_path / "run"
    with pytest.raises(Crash):
        run(config, directory, At(8, crash))
    before = newest(directory)
    data = contents(before)

    full = start(".worker", path, directory, preexec_fn=limit_files)
    assert full.returncode == 1
    assert full.stderr == (
        f"error: {directory}/checkpoints/step-00000010: could not be written (File too large); "
        "step-00000006 stands, and the same command goes on from there\n"
    )
    assert newest(directory) == before
    assert contents(before) == data
    assert [path.name for path in before.parent.iterdir()] == [before.name]

    run(config, directory)
    assert differences(tmp_path / "whole", directory) == []
