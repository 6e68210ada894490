"""What deploy/ says to the server, and asks of its metrics, the server knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ferryman_server.config import CONFIG_VARIABLE, variable_of
from ferryman_server.config_sections import ServerConfig
from ferryman_server.metrics import Metrics

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy" / "helm" / "ferryman"
SPEAKERS = [
    *sorted(CHART.rglob("*.tpl")),
    *sorted(CHART.rglob("*.yaml")),
    *sorted((ROOT / "deploy").glob("*.yaml")),
    *sorted((ROOT / "server").glob("Dockerfile*")),
]
ASKERS = [
    CHART / "templates" / "horizontalpodautoscaler.yaml",
    CHART / "templates" / "prometheusrule.yaml",
]


def test_every_variable_is_an_option_of_the_server():
    known = {variable_of(name) for name in ServerConfig.model_fields} | {CONFIG_VARIABLE}
    said = {
        name: path.name
        for path in SPEAKERS
        for name in re.findall(r"\bFERRYMAN_[A-Z_]+\b", path.read_text("utf-8"))
    }
    assert len(said) > 10
    assert not said.keys() - known, {name: said[name] for name in said.keys() - known}


@pytest.mark.parametrize("path", ASKERS, ids=lambda path: path.name)
def test_every_metric_is_one_of_the_server(path):
    families = {family.name: family.type for family in Metrics().registry.collect()}
    known = {f"{name}_total" if kind == "counter" else name for name, kind in families.items()}
    asked = set(re.findall(r"\bferryman_[a-z_]+\b", path.read_text("utf-8")))
    assert asked
    assert asked <= known


def test_the_drain_of_chart_and_server_agree():
    values = (CHART / "values.yaml").read_text("utf-8")
    drain = float(re.search(r"drainSeconds: (\d+)", values)[1])
    assert drain == ServerConfig.model_fields["drain_seconds"].default
