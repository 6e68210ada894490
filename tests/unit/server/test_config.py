"""Flags over variables over a file over defaults, and all faults at once."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ferryman_server.commands import serve
from ferryman_server.commands.serve import app
from ferryman_server.config import ServerConfig, load_config
from ferryman_server.config_sections import SECTIONS
from ferryman_server.cores import usable_cores
from ferryman_server.logs import LogFormat
from ferryman_server.start_errors import ConfigError


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in [name for name in os.environ if name.startswith("FERRYMAN_")]:
        monkeypatch.delenv(name)


def test_defaults_are_safe_and_fit_the_machine():
    config = load_config({})
    assert config.address == "127.0.0.1:50051"
    assert config.workers == usable_cores()
    assert config.threads == 1
    assert config.bundle == ()


def test_a_flag_goes_before_a_variable_and_that_before_the_default(monkeypatch):
    monkeypatch.setenv("FERRYMAN_MAX_ROWS", "8")
    monkeypatch.setenv("FERRYMAN_WORKERS", "3")
    monkeypatch.setenv("FERRYMAN_LOG_FORMAT", "json")
    config = load_config({"max_rows": "16", "workers": None})
    assert (config.max_rows, config.workers) == (16, 3)
    assert config.log_format is LogFormat.JSON


def test_an_empty_variable_is_none(monkeypatch):
    monkeypatch.setenv("FERRYMAN_WORKERS", "")
    assert load_config({}).workers == usable_cores()


def test_all_faults_are_reported_with_where_they_come_from(monkeypatch, tmp_path):
    monkeypatch.setenv("FERRYMAN_MAX_ROWS", "many")
    file = tmp_path / "server.toml"
    file.write_text("[limits]\n# a comment\nmax_texts = 0\n[engine]\nmax_row = 3\n")
    with pytest.raises(ConfigError) as caught:
        load_config({"workers": "0", "device": "tpu", "address": "nowhere"}, str(file))
    faults = set(str(caught.value).splitlines())
    assert faults == {
        f"{file}:5: engine.max_row: there is no such option; did you mean engine.max_rows?",
        f"{file}:3: limits.max_texts: must be greater than or equal to 1, but is 0",
        "--address: must be HOST:PORT, as 127.0.0.1:50051, but is 'nowhere'",
        "--workers: must be greater than or equal to 1, but is '0'",
        "--device: must be 'auto', 'cpu' or 'cuda', but is 'tpu'",
        "FERRYMAN_MAX_ROWS: must be an integer, unable to parse string as an integer, "
        "but is 'many'",
    }
    assert caught.value.exit_code == 2


def test_a_variable_goes_before_the_file_and_that_before_the_default(monkeypatch, tmp_path):
    file = tmp_path / "server.toml"
    file.write_text("[engine]\nworkers = 7\nmax_rows = 9\n[operation]\nlog_format = 'json'\n")
    monkeypatch.setenv("FERRYMAN_MAX_ROWS", "8")
    config = load_config({"threads": "2"}, str(file))
    assert (config.workers, config.max_rows, config.threads) == (7, 8, 2)
    assert config.log_format is LogFormat.JSON


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("[engine", "is no TOML"),
        ("workers = 2", ":1: workers: belongs into the table \\[engine\\]"),
        ("\n[limits]\ndrain_seconds = 2", ":3: limits.drain_seconds: belongs into the table"),
        ("[colours]\nred = 1", ":2: colours.red: there is no such option"),
        ("[engine]\nmax_rows = 'x'", ":2: engine.max_rows: must be an integer"),
        ("engine.max_rows = 0", ":1: engine.max_rows: must be greater"),
        ("[engine]\nmax_rows = 0\n[engine.more]\nx = 1", ":1: engine.more: there is no such"),
    ],
)
def test_a_fault_of_the_file_is_told_with_its_line(tmp_path, content, fault):
    file = tmp_path / "server.toml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=fault):
        load_config({}, str(file))


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.toml: No such file"):
        load_config({}, str(tmp_path / "absent.toml"))


def test_variables_that_kubernetes_makes_for_a_service_of_our_name_are_left_alone(monkeypatch):
    monkeypatch.setenv("FERRYMAN_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("FERRYMAN_PORT", "tcp://10.0.0.1:50051")
    load_config({})
    assert "port" not in ServerConfig.model_fields, "Kubernetes would set its variable"


def test_no_name_is_in_two_tables():
    names = [name for section in SECTIONS for name in section.model_fields]
    assert len(names) == len(set(names))
    assert set(names) == set(ServerConfig.model_fields)


def test_limits_and_connections_are_those_of_the_configuration():
    config = load_config({"max_rows": "8", "max_texts": "3", "idle_seconds": "4"})
    assert config.limits.max_texts == 3
    assert config.limits.max_beam_size == config.limits.max_num_hypotheses == 8
    assert config.connections.idle_seconds == 4


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:50051", "[::1]:80", "0.0.0.0:1"])
def test_addresses_are_host_and_port(address):
    assert load_config({"address": address}).address == address


@pytest.mark.parametrize(
    "address", ["50051", "::1", "host:", ":50051", "host:port:1", "host:x", "host:65536"]
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ConfigError, match="--address"):
        load_config({"address": address})


def test_help_shows_every_field_with_its_text_and_its_default():
    environment = {"COLUMNS": "250", "TERMINAL_WIDTH": "250", "NO_COLOR": "1"}
    text = CliRunner().invoke(app, ["--help"], env=environment).output
    for section in SECTIONS:
        assert f"[{section.table}] in the file" in text
    for name, field in ServerConfig.model_fields.items():
        if name == "bundle":
            continue
        flag = f"│ --{name.replace('_', '-')} "
        (line,) = [line for line in text.splitlines() if line.startswith(flag)]
        assert " ".join(field.description.split())[:60] in line
        assert (field.default is None) or field.default_factory or "[default: " in line


def test_the_readme_has_a_row_for_every_field():
    text = (Path(__file__).parents[3] / "server" / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| `--([a-z-]+)` \|", text, re.MULTILINE)
    names = [name.replace("_", "-") for s in SECTIONS for name in s.model_fields]
    assert rows == ["config", *(name for name in names if name != "bundle")]


def test_a_flag_and_a_file_reach_the_server(monkeypatch, tmp_path):
    configs = []
    monkeypatch.setattr(serve, "run", lambda config: configs.append(config) or 0)
    (tmp_path / "server.toml").write_text("[engine]\nthreads = 5\nmax_rows = 6\n")
    arguments = ["here", "--config", str(tmp_path / "server.toml"), "--max-rows", "7"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    monkeypatch.setenv("FERRYMAN_CONFIG", str(tmp_path / "server.toml"))
    assert CliRunner().invoke(app, []).exit_code == 0
    assert [(c.bundle, c.threads, c.max_rows) for c in configs] == [(("here",), 5, 7), ((), 5, 6)]
