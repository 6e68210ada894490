"""Chart, compose file and Dockerfiles, held to their own tools: ``make deploy-check``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The renderer of the chart, and modules beside this one.
sys.path += [str(ROOT / "deploy" / "helm"), str(Path(__file__).parent)]

# `make test` has another environment; `make deploy-check` fails where it finds no test.
collect_ignore_glob = [] if importlib.util.find_spec("helm_python") else ["test_*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.deploy)
