"""What every test shares: the seed, the versions in the header, how hard property tests try."""

from __future__ import annotations

import os
import platform
import tempfile
from importlib.metadata import PackageNotFoundError, version

# ONNX Runtime writes telemetry files when it is imported, unless told before.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import hypothesis
import pytest

# Servers remember the bundles that they have loaded, but not in the cache of who runs the tests.
_CACHE = tempfile.TemporaryDirectory(prefix="ferryman-tests-")
os.environ["XDG_CACHE_HOME"] = _CACHE.name

REPORTED = ("ferryman", "torch", "onnx", "onnxruntime", "grpcio", "numpy", "sentencepiece")

hypothesis.settings.register_profile(
    "quick",
    max_examples=25,
    derandomize=True,  # the same examples everywhere: a pass here is a pass in CI
    deadline=None,  # a slow machine is no failing property
)
hypothesis.settings.register_profile("deep", max_examples=1000, deadline=None, print_blob=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=20261121, help="seed of every random input")


def _asks_for_deep_tests(config: pytest.Config) -> bool:
    return bool(config.option.markexpr == "deep")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    deep = _asks_for_deep_tests(config)
    hypothesis.settings.load_profile("deep" if deep else "quick")
    if deep and config.option.timeout is None:
        config.option.timeout = 1800.0


def pytest_report_header(config: pytest.Config) -> list[str]:
    versions = ", ".join(f"{name} {_version(name)}" for name in REPORTED)
    profile = hypothesis.settings.get_current_profile_name()
    return [
        f"versions: python {platform.python_version()}, {versions}",
        f"seed: {config.option.seed}; property tests: {profile}",
    ]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Under ``-m deep``, run the property tests too: the profile gives them many examples."""
    if not _asks_for_deep_tests(config):
        return
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.deep)


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    """The seed of this run's random inputs; the header prints it, ``--seed`` sets it."""
    return int(request.config.getoption("--seed"))
