"""Nothing that could run code is on the way of a bundle into memory."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDERS = ("export/ferryman_bundle", "server/ferryman_server")
RUNS_CODE = {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle", "yaml", "torch"}
"""Modules whose formats can hold code."""
CALLS = {"eval", "exec", "compile", "__import__"}
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_module_imports_or_calls_what_runs_code_from_data(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {(node.module or "").partition(".")[0]}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in CALLS, f"{path}:{node.lineno} calls {node.func.id}"
            continue
        elif isinstance(node, ast.keyword):
            # With these, the loaders of numpy and torch would unpickle.
            assert node.arg not in {"allow_pickle", "weights_only"}, f"{path}:{node.lineno}"
            continue
        else:
            continue
        assert not names & RUNS_CODE, f"{path}:{node.lineno} imports {names & RUNS_CODE}"


def test_loading_a_bundle_unpickles_nothing():
    """An audit hook sees every class that is unpickled, in whichever library it happens."""
    program = """
import sys
from pathlib import Path
from ferryman_bundle import Bundle
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event in WATCHED else None)
WATCHED = {"pickle.find_class", "os.system", "subprocess.Popen"}
bundle = Bundle.load(Path(sys.argv[1]))
bundle.initializer_values("encoder"), bundle.initializer_values("step")
import pickle
assert not seen, seen
pickle.loads(b"cbuiltins\\nlen\\n.")
assert seen == ["pickle.find_class"], seen
"""
    paths = os.pathsep.join(str(ROOT / folder) for folder in ("export", "server", "client"))
    subprocess.run(
        [sys.executable, "-c", program, str(ROOT / "tests" / "data" / "format-1")],
        env={**os.environ, "PYTHONPATH": paths},
        check=True,
    )
