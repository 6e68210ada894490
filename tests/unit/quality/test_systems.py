"""Which system a path or name stands for, and what is said where it cannot be opened."""

from __future__ import annotations

import tomllib
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from ferryman_quality import systems
from ferryman_quality.errors import MissingExtraError, NoSystemError
from ferryman_quality.systems import Kind, System, kind_of, open_system

ROOT = Path(__file__).parents[3]


@pytest.fixture
def declare(monkeypatch):
    """Make entry points be declared, and no others."""

    def declare(**points):
        found = [EntryPoint(name, value, systems.GROUP) for name, value in points.items()]
        monkeypatch.setattr(systems.metadata, "entry_points", lambda group: found)

    return declare


@pytest.mark.parametrize(
    ("file", "kind"), [("manifest.json", Kind.BUNDLE), ("config.toml", Kind.CHECKPOINT)]
)
def test_a_directory_is_known_by_what_lies_in_it(tmp_path, file, kind):
    (tmp_path / "README.md").touch()
    (tmp_path / file).touch()
    assert kind_of(str(tmp_path)) is kind


def test_a_name_that_is_no_path_is_that_of_an_installed_model():
    assert kind_of("en-fr") is Kind.BUNDLE


def test_a_directory_of_something_else_is_told(tmp_path):
    with pytest.raises(NoSystemError, match=r"neither a bundle .* nor a checkpoint") as caught:
        kind_of(str(tmp_path))
    assert caught.value.exit_code == 4


def test_a_system_is_opened_by_the_entry_point_of_its_kind(tmp_path, declare):
    (tmp_path / "config.toml").touch()
    declare(bundle="os:abort", checkpoint="os.path:basename")
    assert open_system(str(tmp_path)) == tmp_path.name


def test_a_missing_library_is_answered_with_the_extra(tmp_path, declare, monkeypatch):
    (tmp_path / "config.toml").touch()
    (tmp_path / "needs_much.py").write_text("import a_library_that_nobody_has\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    declare(checkpoint="needs_much:System [training]")
    with pytest.raises(MissingExtraError, match="a_library_that_nobody_has") as caught:
        open_system(str(tmp_path))
    assert "a checkpoint needs the training extra" in str(caught.value)
    assert "pip install 'ferryman[training]'" in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_kind_that_nobody_offers_is_told(declare):
    declare()
    with pytest.raises(NoSystemError, match="nothing in this installation translates with a bund"):
        open_system("en-fr")


def test_the_project_offers_every_kind_with_the_extra_that_exists():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = project["entry-points"][systems.GROUP]
    assert set(declared) == set(Kind)
    for name, value in declared.items():
        point = EntryPoint(name, value, systems.GROUP)
        assert set(point.extras) <= set(project["optional-dependencies"])
        assert point.extras
        assert issubclass(getattr(import_module(point.module), point.attr), System)
