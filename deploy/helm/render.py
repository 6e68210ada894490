"""Render the chart without helm or a cluster: ``render.py NAME NAMESPACE [VALUES.yaml...]``.

Needs helm-python-sdk, which carries Helm's own code; `make deploy-check` installs it into
``.venv-deploy``. Of several files of values, the later goes before the earlier.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import helm_python
import yaml

CHART = Path(__file__).parent / "ferryman"


def render(values: Mapping[str, Any], *, name: str, namespace: str) -> list[dict[str, Any]]:
    """Return the objects of the chart.

    Args:
        values: What differs from ``values.yaml``.
        name: Of the release.
        namespace: Where it would be installed.

    Raises:
        helm_python.HelmError: The values do not fit the schema, or a template fails.
    """
    with helm_python.Chart.load(str(CHART)) as chart:
        chart.validate_schema(dict(values))
        files = chart.render(dict(values), name=name, namespace=namespace)
    texts = (text for path, text in sorted(files.items()) if path.endswith(".yaml"))
    return [each for text in texts for each in yaml.safe_load_all(text) if each]


def _merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    both = {
        name: _merged(first[name], value)
        for name, value in second.items()
        if isinstance(value, dict) and isinstance(first.get(name), dict)
    }
    return first | second | both


def main(name: str, namespace: str, *files: str) -> None:
    """Print the objects as one YAML stream."""
    values: dict[str, Any] = {}
    for file in files:
        values = _merged(values, yaml.safe_load(Path(file).read_text("utf-8")) or {})
    yaml.safe_dump_all(render(values, name=name, namespace=namespace), sys.stdout, sort_keys=False)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: render.py NAME NAMESPACE [VALUES.yaml...]")
    main(*sys.argv[1:])
