"""`ferryman doctor`: every fault is found, each with what to do about it."""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ferryman_server import doctor
from ferryman_server.commands.doctor import app
from ferryman_server.config import load_config
from ferryman_server.doctor import Verdict, examine
from ferryman_server.runtime import cuda

BUNDLE = Path(__file__).parents[2] / "data" / "format-1"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in [name for name in os.environ if name.startswith("FERRYMAN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(doctor, "usable_cores", lambda: 4)


@pytest.fixture
def examined():
    """Examine a configuration: ``examined(option=...)`` gives the findings by subject."""

    def run(**options: str):
        flags = {
            "bundle": str(BUNDLE),
            "workers": "4",
            "address": "127.0.0.1:0",
            "metrics_address": "127.0.0.1:0",
        }
        return {finding.subject: finding for finding in examine(load_config(flags | options))}

    return run


def test_a_machine_that_is_fit_has_nothing_to_do(examined):
    findings = examined()
    assert {f.verdict for f in findings.values()} == {Verdict.GOOD}, findings
    assert not any(finding.remedy for finding in findings.values())
    assert set(findings) == {
        "packages",
        "CUDA",
        "telemetry",
        "threads",
        "open files",
        "port of --address",
        "port of --metrics-address",
        "security",
        "bundle",
    }


@pytest.mark.parametrize(("workers", "remedy"), [("9", "--workers 4"), ("2", "or set it to 4")])
def test_threads_are_held_against_the_cores_that_are_paid_for(examined, workers, remedy):
    finding = examined(workers=workers)["threads"]
    assert finding.verdict is Verdict.WARNING
    assert remedy in finding.remedy


def test_cuda_is_a_fault_only_where_it_is_asked_for(examined, monkeypatch):
    monkeypatch.setattr(cuda, "cuda_fault", lambda: "the library libcudnn.so.9 is not there")
    assert examined()["CUDA"].verdict is Verdict.GOOD
    finding = examined(device="cuda")["CUDA"]
    assert finding.verdict is Verdict.FAULT
    assert "libcudnn.so.9" in finding.remedy


def test_two_runtimes_in_one_environment_are_a_fault(examined, monkeypatch):
    monkeypatch.setattr(doctor, "_version", lambda package: "1.0")
    assert examined()["packages"].verdict is Verdict.FAULT


def test_telemetry_that_is_on_is_a_fault(examined, monkeypatch):
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    assert examined()["telemetry"].verdict is Verdict.FAULT


def test_too_few_descriptors_are_told_with_how_many_there_should_be(examined, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, 4096))
    finding = examined(max_concurrent_calls="1000")["open files"]
    assert finding.verdict is Verdict.WARNING
    assert finding.remedy == "ulimit -n 1128, or --max-concurrent-calls 128"


@pytest.mark.parametrize("option", ["address", "metrics_address"])
def test_a_port_that_is_taken_is_a_fault(examined, option):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        finding = examined(**{option: address})[f"port of --{option.replace('_', '-')}"]
    assert finding.verdict is Verdict.FAULT
    assert address in finding.found


async def test_a_server_that_is_healthy_there_already_is_told(examined, serving, monkeypatch):
    monkeypatch.setattr(doctor, "probe", lambda address: None)
    async with serving() as (server, _):
        finding = examined(address=f"127.0.0.1:{server.port}")["port of --address"]
    assert finding.verdict is Verdict.WARNING
    assert "healthy" in finding.found


def test_what_is_open_to_others_is_a_warning(examined):
    finding = examined(address="0.0.0.0:0")["security"]
    assert finding.verdict is Verdict.WARNING
    assert "--keys-file" in finding.remedy


def test_files_of_keys_and_certificates_are_looked_into(examined, tmp_path):
    (tmp_path / "keys.json").write_text("{")
    finding = examined(keys_file=str(tmp_path / "keys.json"))["security"]
    assert finding.verdict is Verdict.FAULT
    assert "keys.json" in finding.found


def test_a_damaged_bundle_is_a_fault_and_everything_else_is_told_all_the_same(examined, tmp_path):
    damaged = Path(shutil.copytree(BUNDLE, tmp_path / "damaged"))
    weights = damaged / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    findings = examined(bundle=str(damaged))
    assert findings["bundle"].verdict is Verdict.FAULT
    assert "weights.safetensors" in findings["bundle"].found
    assert len(findings) == 9


def test_a_batch_without_room_for_the_models_beam_is_a_fault(examined):
    finding = examined(max_rows="1")["bundle"]
    assert finding.verdict is Verdict.FAULT
    assert "--max-rows" in finding.remedy


def run(*arguments: str):
    usual = ["--address", "127.0.0.1:0", "--metrics-address", "none", "--workers", "4"]
    return CliRunner().invoke(app, [str(BUNDLE), *usual, *arguments])


def test_the_exit_code_and_the_json_say_whether_it_is_fit():
    fit = run("--json")
    assert fit.exit_code == 0
    assert json.loads(fit.output)["fit"] is True
    unfit = run("--json", "--max-rows", "1")
    assert unfit.exit_code == 1
    findings = json.loads(unfit.output)["findings"]
    assert [f["subject"] for f in findings if f["verdict"] == "fault"] == ["bundle"]


def test_the_table_keeps_brackets(monkeypatch):
    monkeypatch.setattr(cuda, "cuda_fault", lambda: "install it[gpu]")
    assert "it[gpu]" in run().output
