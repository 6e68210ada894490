"""What `import ferryman` offers, and what it costs."""

from __future__ import annotations

import doctest
import inspect
import json
import pkgutil
import subprocess
import sys
from importlib import import_module

import pytest

import ferryman
import ferryman.description
import ferryman.errors
import ferryman.results
import ferryman.retry
import ferryman.search

HEAVY = {"grpc", "google", "numpy", "torch", "onnxruntime", "typer", "rich", "pydantic", "asyncio"}


def modules_after(statement):
    """Return the top-level modules that a fresh interpreter has after a statement."""
    program = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return {name.partition(".")[0] for name in json.loads(result.stdout)}


def test_importing_the_package_loads_nothing_heavy():
    assert not modules_after("import ferryman") & HEAVY


def test_using_a_client_loads_no_arrays_and_no_runtime():
    loaded = modules_after("import ferryman; ferryman.Client('127.0.0.1:1').close()")

    assert not loaded & {"numpy", "torch", "onnxruntime", "typer", "rich", "pydantic"}
    assert "grpc" in loaded


def test_the_public_names_are_complete_sorted_and_there():
    assert ferryman.__all__ == sorted(ferryman.__all__)
    assert set(ferryman.__all__) <= set(dir(ferryman))
    for name in ferryman.__all__:
        assert getattr(ferryman, name) is not None


@pytest.mark.parametrize(
    "module", ["description", "errors", "options", "results", "retry", "search"]
)
def test_what_callers_meet_is_public(module):
    defined = import_module(f"ferryman.{module}")
    classes = {
        name
        for name, value in vars(defined).items()
        if inspect.isclass(value) and value.__module__ == defined.__name__ and name[0] != "_"
    }
    inside = {"Attempts", "Deadline", "RetryBudget"}

    assert classes - inside <= set(ferryman.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Cleint'"):
        _ = ferryman.Cleint


def test_the_error_tree_is_drawn_as_it_is():
    drawn = [
        line.split()[1]
        for line in (ferryman.errors.__doc__ or "").splitlines()
        if line.strip()[:1] in {"*", "+", "-"}
    ]
    defined = [
        name
        for name, value in vars(ferryman.errors).items()
        if inspect.isclass(value) and issubclass(value, ferryman.FerrymanError)
    ]

    assert drawn == defined


def test_every_module_of_the_package_can_be_imported():
    for module in pkgutil.walk_packages(ferryman.__path__, "ferryman."):
        if module.name != "ferryman.__main__":
            import_module(module.name)


@pytest.mark.parametrize("module", ["channel", "errors", "options", "retry", "search", "testing"])
def test_the_examples_in_the_documentation_are_true(module):
    result = doctest.testmod(import_module(f"ferryman.{module}"))

    assert result.attempted > 0
    assert result.failed == 0
