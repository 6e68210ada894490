"""``ferryman bundle`` as a person types it, and a server of what it packed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

STORED = Path(__file__).parents[1] / "data" / "format-1"


@pytest.fixture
def packed(ferryman, tmp_path):
    path = tmp_path / "packed.tar"
    finished = ferryman("bundle", "pack", str(STORED), str(path))
    assert finished.returncode == 0, finished.stderr
    return path


@pytest.mark.parametrize(
    ("verb", "fact"),
    [("inspect", "59,264 parameters"), ("verify", "12 golden sentences"), ("card", "## Licence")],
)
def test_a_packed_bundle_is_inspected_verified_and_described(ferryman, packed, verb, fact):
    finished = ferryman("bundle", verb, str(packed))
    assert finished.returncode == 0, finished.stderr
    assert fact in finished.stdout
    assert finished.stderr == ""


def test_a_packed_bundle_is_served_as_it_is(ferryman, serving, packed):
    with serving(packed) as server:
        finished = ferryman("translate", "--server", server.address, "A width of 0")
        assert finished.returncode == 0, finished.stderr
        assert finished.stdout.strip()
        assert server.end() == 0


@pytest.mark.parametrize("verb", ["serve", "bundle verify", "bundle unpack"])
def test_a_damaged_bundle_is_refused_by_every_verb(ferryman, tmp_path, verb):
    directory = shutil.copytree(STORED, tmp_path / "bundle")
    os.link(directory / "weights.safetensors", tmp_path / "second-name")
    more = [str(tmp_path / "unpacked")] if verb.endswith("unpack") else []
    finished = ferryman(*verb.split(), str(directory), *more)
    assert finished.returncode == 4
    assert finished.stdout == ""
    message = finished.stderr.strip()
    assert "\n" not in message
    assert message.startswith(
        f"ferryman {verb.split()[0]}: {directory}: weights.safetensors: has 2"
    )
    assert "uv: --link-mode=copy" in message
    assert not (tmp_path / "unpacked").exists()


def test_the_verbs_of_bundle_are_listed(ferryman):
    finished = ferryman("bundle", "--help")
    assert finished.returncode == 0
    for verb in ("inspect", "verify", "card", "pack", "unpack"):
        assert verb in finished.stdout
