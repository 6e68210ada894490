"""The compose files, as Docker Compose itself reads them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = Path(sys.executable).with_name("docker-compose")


def compose(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": "/tmp"} | variables
    return subprocess.run(
        [COMPOSE, *words], capture_output=True, check=False, encoding="utf-8", env=environment
    )


def services(*files: str, **variables: str) -> dict[str, dict]:
    names = [word for file in files for word in ("--file", str(DEPLOY / file))]
    variables = {"GRAFANA_PASSWORD": "secret"} | variables
    finished = compose(*names, "config", "--format", "json", **variables)
    assert finished.returncode == 0, finished.stderr
    assert "variable is not set" not in finished.stderr
    return json.loads(finished.stdout)["services"]


@pytest.mark.parametrize(("profile", "server"), [("", "server"), ("gpu", "server-gpu")])
def test_one_server_starts_and_what_watches_it(profile, server):
    chosen = {"COMPOSE_PROFILES": profile} if profile else {}
    found = services("compose.yaml", **chosen)
    assert found.keys() == {server, "prometheus", "grafana"}


def test_every_container_is_hardened_and_limited():
    both = services("compose.yaml", COMPOSE_PROFILES="cpu,gpu")
    for name, service in both.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        limits = service["deploy"]["resources"]["limits"]
        assert {"cpus", "memory", "pids"} <= limits.keys(), name


def test_the_gpu_is_reserved():
    service = services("compose.yaml", COMPOSE_PROFILES="gpu")["server-gpu"]
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia"
    assert device["capabilities"] == ["gpu"]


def test_a_server_has_longer_to_stop_than_to_drain():
    service = services("compose.yaml")["server"]
    assert service["stop_grace_period"] == "35s"
    assert service["environment"]["FERRYMAN_DRAIN_SECONDS"] == "30"


def test_nothing_is_reached_from_other_hosts_unless_asked():
    for service in services("compose.yaml").values():
        assert {port["host_ip"] for port in service["ports"]} == {"127.0.0.1"}
    (port,) = services("compose.yaml", LISTEN="0.0.0.0:443")["server"]["ports"]
    assert (port["host_ip"], port["published"]) == ("0.0.0.0", "443")


def test_secured_it_reads_certificate_and_keys_from_secrets(tmp_path):
    found = services("compose.yaml", "compose.secured.yaml", SECRETS_FOLDER=str(tmp_path))
    server = found["server"]
    mounted = {each["target"].rpartition("/")[2] for each in server["secrets"]}
    assert mounted == {"tls.crt", "tls.key", "keys.json"}
    for name in ("TLS_CERTIFICATE", "TLS_KEY", "KEYS_FILE"):
        assert server["environment"][f"FERRYMAN_{name}"].startswith("/run/secrets/")
    assert server["environment"]["FERRYMAN_DRAIN_SECONDS"] == "30"


def test_every_file_that_is_mounted_is_there_or_is_the_users():
    for service in services("compose.yaml", BUNDLES_FOLDER="/tmp").values():
        for volume in service.get("volumes", []):
            if volume["type"] == "bind":
                assert Path(volume["source"]).exists()


def test_prometheus_finds_the_servers_by_their_name():
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
    (job,) = config["scrape_configs"]
    (discovery,) = job["dns_sd_configs"]
    server = services("compose.yaml")["server"]
    aliases = {alias for network in server["networks"].values() for alias in network["aliases"]}
    assert set(discovery["names"]) <= aliases
    assert server["environment"]["FERRYMAN_METRICS_ADDRESS"].endswith(f":{discovery['port']}")
