"""What the images install is what pyproject.toml asks for, in the versions of constraints.txt."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LOCKS = ROOT / "deploy" / "locks"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
ROLES = {
    "client": ["ferryman[documents]"],
    "server": ["ferryman[server,tracing]"],
    "server-gpu": ["ferryman[server-gpu,tracing]"],
    "build": PROJECT["build-system"]["requires"],
    "tools": (LOCKS / "tools.in").read_text("utf-8").splitlines(),
}
REFRESH = "run `make locks` and commit the result"


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names_of(requirements: list[str]) -> set[str]:
    """The libraries that requirements name, those of our own extras included."""
    names: set[str] = set()
    for requirement in requirements:
        ours = re.fullmatch(r"ferryman\[(.+)\]", requirement)
        if ours:
            names |= names_of(PROJECT["project"]["dependencies"])
            for extra in ours[1].split(","):
                names |= names_of(EXTRAS[extra])
        else:
            names.add(normal(re.match(r"[\w.-]+", requirement)[0]))
    return names


def pins(text: str) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)==([^\s;]+)", text, flags=re.MULTILINE)
    return {normal(name): version for name, version in found}


def lock(role: str) -> str:
    return (LOCKS / f"{role}.txt").read_text("utf-8")


@pytest.mark.parametrize("role", ROLES)
def test_a_lock_has_everything_that_its_role_asks_for(role):
    missing = names_of(ROLES[role]) - pins(lock(role)).keys()
    assert not missing, f"deploy/locks/{role}.txt lacks {sorted(missing)}: {REFRESH}"


@pytest.mark.parametrize("role", ROLES)
def test_a_lock_has_the_versions_that_are_tested(role):
    tested = pins((ROOT / "constraints.txt").read_text("utf-8"))
    others = {
        name: (version, tested[name])
        for name, version in pins(lock(role)).items()
        if version != tested.get(name, version)
    }
    assert not others, f"deploy/locks/{role}.txt against constraints.txt: {others}: {REFRESH}"


@pytest.mark.parametrize("role", ROLES)
def test_every_file_of_a_lock_is_known_by_its_digest(role):
    entries = re.split(r"\n(?=\S)", lock(role).strip())
    assert len(entries) > 5
    assert all("--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize("role", ["client", "server", "server-gpu"])
def test_what_ships_contains_nothing_that_trains_or_compiles(role):
    assert not pins(lock(role)).keys() & {"torch", "onnx", "grpcio-tools", "pip", "setuptools"}
