"""Flags over variables over defaults, and all faults at once."""

from __future__ import annotations

import os

import pytest
from typer.testing import CliRunner

from ferryman_server.commands.serve import app
from ferryman_server.config import ServerConfig, load_config
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
    assert config.bundle is None


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


def test_all_faults_are_reported_with_where_they_come_from(monkeypatch):
    monkeypatch.setenv("FERRYMAN_MAX_ROWS", "many")
    with pytest.raises(ConfigError) as caught:
        load_config({"workers": "0", "device": "tpu", "address": "nowhere"})
    faults = str(caught.value).splitlines()
    assert [fault.partition(":")[0] for fault in faults] == [
        "--address",
        "--workers",
        "FERRYMAN_MAX_ROWS",
        "--device",
    ]
    assert faults[0] == "--address: must be HOST:PORT, as 127.0.0.1:50051, but is 'nowhere'"
    assert faults[1] == "--workers: must be greater than or equal to 1, but is '0'"
    assert faults[2].endswith("but is 'many'")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:50051", "[::1]:80", "0.0.0.0:1"])
def test_addresses_are_host_and_port(address):
    assert load_config({"address": address}).address == address


@pytest.mark.parametrize(
    "address", ["50051", "::1", "host:", ":50051", "host:port:1", "host:x", "host:65536"]
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ConfigError, match="--address"):
        load_config({"address": address})


def test_every_field_is_a_flag_that_help_shows():
    text = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).output
    for name in ServerConfig.model_fields:
        if name != "bundle":
            assert f"--{name.replace('_', '-')}" in text
