"""What a trial may take is limited, and what it says is one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ferryman_bundle import Bundle, BundleError
from ferryman_bundle.manifest import GraphEntry
from ferryman_bundle.sealed import SealedBundle
from ferryman_bundle.writer import describe_files, write_bundle
from ferryman_server.engine import EngineFailedError, Tail
from ferryman_server.runtime import trial
from ferryman_server.runtime.trial import TrialOrder

STORED = Path(__file__).parents[3] / "data" / "format-1"


def order(**changes):
    values = {
        "path": str(STORED),
        "variant": "fp32",
        "seconds": 30,
        "memory_bytes": 1 << 30,
        "bundle_bytes": 1 << 30,
    }
    return TrialOrder(**values | changes)


def run_limited(program, **limits):
    """Run a program in a process that has limited itself as a trial does."""
    begin = f"""
import resource, sys
from ferryman_server.runtime.trial import TrialOrder, limit_this_process
limit_this_process(TrialOrder(**{json.loads(order(**limits).written())!r}))
"""
    return subprocess.run(
        [sys.executable, "-c", begin + program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_trial_can_write_no_file(tmp_path):
    path = tmp_path / "file"
    ended = run_limited(f"open({str(path)!r}, 'wb', 0).write(b'x')")
    assert "File too large" in ended.stderr
    assert path.read_bytes() == b""


def test_a_trial_leaves_no_core():
    ended = run_limited("print(resource.getrlimit(resource.RLIMIT_CORE))")
    assert ended.stdout == "(0, 0)\n"


def test_a_trial_ends_when_its_processor_time_is_over():
    assert run_limited("while True: pass", seconds=1).returncode == -24


@pytest.mark.parametrize(("size", "fits"), [(8 << 20, True), (256 << 20, False)])
def test_a_trial_has_so_much_memory_beyond_what_it_began_with(size, fits):
    ended = run_limited(f"print(len(bytearray({size})))", memory_bytes=64 << 20)
    assert (ended.returncode == 0) is fits, ended.stderr
    assert ("MemoryError" in ended.stderr) is not fits


def test_a_hard_limit_that_is_lower_stays():
    program = """
resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40))
limit_this_process(TrialOrder(path="", variant="", seconds=1, memory_bytes=1 << 50, bundle_bytes=1))
print(resource.getrlimit(resource.RLIMIT_AS)[0] == 1 << 40)
"""
    ended = run_limited(program, memory_bytes=1 << 50)
    assert ended.stdout == "True\n", ended.stderr


@pytest.fixture
def ended(monkeypatch):
    """Let a trial run in this process: it sets no limits, and returns instead of ending."""
    monkeypatch.setattr(trial, "limit_this_process", lambda order: None)
    monkeypatch.setattr(os, "_exit", lambda code: None)


def answer(capsys):
    output = capsys.readouterr().out
    assert output.endswith("\n")
    assert output.count("\n") == 1
    return json.loads(output)


def test_a_sound_bundle_is_answered_with_its_digest(ended, capsys):
    trial.main([order().written()])
    assert answer(capsys) == {"digest": Bundle.load(STORED).digest}


def failing(error):
    def translate_something(order):
        raise error

    return translate_something


def failed_engine(cause):
    error = EngineFailedError("the engine has failed")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (BundleError("step.onnx: is missing"), "step.onnx: is missing"),
        (RuntimeError("one\n  two\x1b[0m\u2028three"), "one two\\x1b[0m three"),
        (RuntimeError(""), "RuntimeError"),
        (RuntimeError("x" * 10_000), "x" * 400 + "..."),
        (MemoryError(), "it needs more memory than its size explains"),
        (failed_engine(ValueError("the graph is at fault")), "the graph is at fault"),
    ],
)
def test_whatever_is_wrong_is_told_in_one_line(ended, capsys, monkeypatch, error, reason):
    monkeypatch.setattr(trial, "translate_something", failing(error))
    trial.main([order().written()])
    assert answer(capsys) == {"refused": reason}


def test_a_trial_translates_short_and_long_with_every_kind_of_search():
    bundle = Bundle.load(STORED)
    jobs = trial._jobs(bundle, 4, set(Tail))
    assert {len(job.source) for job in jobs} == {1, 64, 128}
    assert {(job.search.beam_size, job.search.tail.value) for job in jobs} == {
        (1, "fast"),
        (4, "fast"),
        (1, "shortlist"),
        (4, "shortlist"),
        (1, "full"),
    }
    limits = bundle.manifest.limits.model_copy(update={"max_source_tokens": 1})
    tiny = bundle.manifest.model_copy(update={"limits": limits})
    jobs = trial._jobs(Bundle(tiny, None, bundle.contents), 4, {Tail.FAST})
    assert {len(job.source) for job in jobs} == {1}
    assert {job.search.tail.value for job in jobs} == {"fast"}


@pytest.mark.parametrize("graph", ["step_full", "scorer"])
def test_a_graph_that_the_server_loads_late_has_its_trial_too(ended, capsys, tmp_path, graph):
    sealed = SealedBundle.read(STORED)
    contents = {**sealed.contents, "late.onnx": b"this is no graph"}
    fp32 = sealed.manifest.variants["fp32"]
    graphs = {**fp32.graphs, graph: GraphEntry(file="late.onnx", initializers={})}
    changes = {
        "variants": {"fp32": fp32.model_copy(update={"graphs": graphs})},
        "files": describe_files(contents),
    }
    path = tmp_path / "bundle"
    write_bundle(path, sealed.manifest.model_copy(update=changes), contents)
    trial.main([order(path=str(path)).written()])
    assert "INVALID_PROTOBUF" in answer(capsys)["refused"]
