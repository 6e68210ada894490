"""The Dockerfiles, read by hadolint and checkov."""

from __future__ import annotations

from pathlib import Path

import pytest
from scanners import checkov, hadolint

ROOT = Path(__file__).parents[2]
DOCKERFILES = [
    ROOT / name for name in ("server/Dockerfile", "server/Dockerfile.gpu", "client/Dockerfile")
]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_hadolint_has_nothing_to_say(path):
    assert hadolint(path) == ""


def test_hadolint_would_find_what_is_unusual(tmp_path):
    path = tmp_path / "Dockerfile"
    path.write_text("FROM python\nRUN cd /tmp && pip install grpcio\n")
    assert "DL3006" in hadolint(path)


def test_checkov_finds_nothing_that_is_not_explained():
    assert checkov("dockerfile", *DOCKERFILES) == set()


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_every_stage_starts_from_the_base_that_can_be_chosen(path):
    lines = path.read_text("utf-8").splitlines()
    assert [line for line in lines if line.startswith("FROM ")] == [
        "FROM ${BASE_IMAGE} AS build",
        "FROM ${BASE_IMAGE}",
    ]
