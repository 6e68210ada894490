"""Models that are installed as packages."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from ferryman_server import installed_models
from ferryman_server.installed_models import find_bundle
from ferryman_server.start_errors import ModelNotInstalledError

DIRECTORY = Path("/models/one")


def directory() -> Path:
    return DIRECTORY


@pytest.fixture
def installed(monkeypatch):
    def install(*names: str) -> None:
        group = installed_models.GROUP
        entries = EntryPoints(EntryPoint(name, f"{__name__}:directory", group) for name in names)
        monkeypatch.setattr(EntryPoint, "load", lambda _: directory)
        monkeypatch.setattr(installed_models, "entry_points", lambda group: entries)

    return install


def test_a_directory_is_taken_as_it_is(installed, tmp_path):
    installed("en-fr")
    assert find_bundle(str(tmp_path)) == tmp_path


def test_the_only_model_is_the_default(installed):
    installed("en-fr")
    assert find_bundle(None) == DIRECTORY


def test_a_model_is_found_by_its_name(installed):
    installed("en-fr", "en-de")
    assert find_bundle("en-de") == DIRECTORY


def test_none_installed_says_how_to_install_one(installed):
    installed()
    with pytest.raises(ModelNotInstalledError, match=r"pip install \./models/en-fr") as caught:
        find_bundle(None)
    assert caught.value.exit_code == 4


def test_several_installed_are_named(installed):
    installed("en-fr", "en-de")
    with pytest.raises(ModelNotInstalledError, match="en-de, en-fr"):
        find_bundle(None)


def test_neither_a_directory_nor_a_model(installed):
    installed("en-fr")
    with pytest.raises(ModelNotInstalledError, match=r"no bundle elsewhere.*en-fr"):
        find_bundle("elsewhere")
