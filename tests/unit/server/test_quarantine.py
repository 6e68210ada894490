"""A new bundle is loaded in a process that may die; the caller gets one line, or the bundle."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from ferryman_bundle.sealed import SealedBundle
from ferryman_bundle.writer import describe_files, write_bundle
from ferryman_server import loading, quarantine
from ferryman_server.config import load_config
from ferryman_server.known_bundles import KnownBundles
from ferryman_server.quarantine import TrialLimits, judge, release, try_out
from ferryman_server.start_errors import BundleUnusableError

STORED = Path(__file__).parents[2] / "data" / "format-1"
LIMITS = TrialLimits(seconds=60)


@pytest.fixture
def known(tmp_path):
    return KnownBundles(tmp_path / "known-bundles")


@pytest.fixture
def sound():
    return SealedBundle.read(STORED)


def test_a_sound_bundle_passes_and_is_remembered(sound, known, monkeypatch):
    release(sound, STORED, "fp32", LIMITS, known)

    def must_not_run(*arguments, **options):
        raise AssertionError("it was loaded in another process again")

    monkeypatch.setattr(subprocess, "run", must_not_run)
    release(sound, STORED, "fp32", LIMITS, known)
    with pytest.raises(AssertionError, match="again"):
        release(sound, STORED, "int8", LIMITS, known)
    monkeypatch.setattr(quarantine.runtime, "VERSION", "1.99.0")
    with pytest.raises(AssertionError, match="again"):
        release(sound, STORED, "fp32", LIMITS, known)


def harmed(sound, path, change):
    """Write a sealed bundle whose step graph was changed."""
    model = onnx.load_model_from_string(sound.contents["step.onnx"])
    change(model)
    contents = {**sound.contents, "step.onnx": model.SerializeToString()}
    files = {"files": describe_files(contents)}
    write_bundle(path, sound.manifest.model_copy(update=files), contents)
    return SealedBundle.read(path)


def call_deeply(model):
    """Functions that call each other, deeper than the stack of the process that loads them."""
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("deep", 1)]
    for i in range(12_000):
        inner = ("Identity", "") if i == 0 else (f"f{i - 1}", "deep")
        body = [helper.make_node(inner[0], ["x"], ["y"], domain=inner[1])]
        model.functions.append(helper.make_function("deep", f"f{i}", ["x"], ["y"], body, opsets))
    model.opset_import.append(helper.make_opsetid("deep", 1))
    name = rename_first_output(model, "inner")
    model.graph.node.append(helper.make_node("f11999", ["inner"], [name], domain="deep"))


def loop_for_ever(model):
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["on_out"]),
            helper.make_node("Identity", ["x"], ["x_out"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x_out", TensorProto.FLOAT, None),
        ],
    )
    on = helper.make_tensor("", TensorProto.BOOL, [], [True])
    name = rename_first_output(model, "inner")
    model.graph.node.extend(
        [
            helper.make_node("Constant", [], ["for_ever"], value=on),
            helper.make_node("Loop", ["", "for_ever", "inner"], [name], body=body),
        ]
    )


def ask_for_3_gibibytes(model):
    """A few bytes that are multiplied out while the graph is loaded."""
    name = rename_first_output(model, "inner")
    model.graph.node.extend(
        [
            helper.make_node("Constant", [], ["size"], value_ints=[3 << 28]),
            helper.make_node("ConstantOfShape", ["size"], ["zeros"]),
            helper.make_node("ReduceMax", ["zeros"], ["zero"], keepdims=0),
            helper.make_node("Add", ["inner", "zero"], [name]),
        ]
    )


def rename_first_output(model, name):
    """Let nodes call the first output otherwise, and return what the graph calls it."""
    output = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = [name if old == output else old for old in node.output]
    return output


def test_a_bundle_that_kills_its_process_is_refused_by_name(sound, known, tmp_path):
    sealed = harmed(sound, tmp_path / "deep", call_deeply)
    with pytest.raises(BundleUnusableError) as refusal:
        release(sealed, tmp_path / "deep", "fp32", LIMITS, known)
    assert str(refusal.value) == (
        f"{tmp_path / 'deep'}: format-1 0.1.0, fp32: cannot be loaded: "
        "it ended the process that loaded it first (SIGSEGV)"
    )
    assert refusal.value.exit_code == 4
    assert not (tmp_path / "known-bundles").exists()


def test_a_bundle_that_never_ends_is_stopped(sound, tmp_path):
    sealed = harmed(sound, tmp_path / "loop", loop_for_ever)
    begun = time.monotonic()
    reason = try_out(sealed, tmp_path / "loop", "fp32", TrialLimits(seconds=3))
    assert reason == "it took more than 3 s to load; --trial-seconds allows more"
    assert time.monotonic() - begun < 10


def test_a_bundle_that_needs_too_much_memory_is_refused(sound, tmp_path):
    sealed = harmed(sound, tmp_path / "large", ask_for_3_gibibytes)
    reason = try_out(sealed, tmp_path / "large", "fp32", LIMITS)
    assert reason is not None
    assert "memory" in reason or "bad_alloc" in reason


def test_a_bundle_that_changes_meanwhile_is_refused(sound, tmp_path):
    other = tmp_path / "other"
    write_bundle(other, sound.manifest, sound.contents)
    assert try_out(sound, other, "fp32", LIMITS) == "it changed while it was loaded"


def test_modules_in_the_working_directory_are_not_imported(sound, tmp_path, monkeypatch):
    """A server may be started in the folder of a bundle that came with more than a bundle."""
    (tmp_path / "numpy.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    assert try_out(sound, STORED, "fp32", LIMITS) is None


def test_the_server_does_not_load_what_a_trial_refuses(sound, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    harmed(sound, tmp_path / "deep", call_deeply)

    def must_not_open(sealed):
        raise AssertionError("the server touched it")

    monkeypatch.setattr(loading.Bundle, "open", must_not_open)
    with pytest.raises(BundleUnusableError, match="SIGSEGV"):
        loading.load_bundle(tmp_path / "deep", load_config({}))
    with pytest.raises(AssertionError, match="touched"):
        loading.load_bundle(tmp_path / "deep", load_config({"trial_seconds": "0"}))


@pytest.mark.parametrize(
    ("code", "output", "expected"),
    [
        (0, {"digest": "d"}, None),
        (0, {"digest": "e"}, "it changed while it was loaded"),
        (0, {}, "it changed while it was loaded"),
        (0, {"refused": "step.onnx: no"}, "step.onnx: no"),
        (1, None, "the process that loaded it first ended with 1 and no answer"),
        (-signal.SIGKILL, None, "it ended the process that loaded it first (SIGKILL)"),
        (-signal.SIGXCPU, None, "it took more than 60 s to load; --trial-seconds allows more"),
        (-63, {"digest": "d"}, "it ended the process that loaded it first (signal 63)"),
    ],
)
def test_the_end_of_a_trial_is_put_into_words(code, output, expected):
    written = b"" if output is None else json.dumps(output).encode()
    assert judge(code, written, digest="d", limits=LIMITS) == expected
