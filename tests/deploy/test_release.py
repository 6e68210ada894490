"""What is released: built, installed into empty environments, and used from there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SENTENCE = "The network is not available."


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    """What ``make dist`` makes; it needs a package index."""
    folder = tmp_path_factory.mktemp("release") / "dist"
    command = [ROOT / "deploy" / "release", Path(sys.executable).parent, folder]
    finished = subprocess.run(
        command, capture_output=True, check=False, encoding="utf-8", timeout=540
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return folder


def command(dist: Path, role: str) -> Path:
    return dist / "environments" / role / "bin" / "ferryman"


def test_the_wheels_alone_serve_and_translate(dist, tmp_path):
    serve = [command(dist, "server"), "serve", "--address", "127.0.0.1:0"]
    flags = ["--metrics-address", "none"]
    with subprocess.Popen(
        [*serve, *flags], stderr=subprocess.PIPE, encoding="utf-8", cwd=tmp_path
    ) as server:
        watchdog = threading.Timer(120, server.kill)
        watchdog.start()
        try:
            lines = iter(server.stderr.readline, "")
            found = (re.search(r"listens on +(\S+)", line) for line in lines)
            address = next(match[1] for match in found if match)
            translate = [command(dist, "client"), "translate", "--server", address]
            translated = subprocess.run(
                [*translate, "--from", "en", "--to", "fr", SENTENCE],
                capture_output=True,
                check=False,
                encoding="utf-8",
                cwd=tmp_path,
                timeout=60,
            )
            server.terminate()
            server.stderr.read()
            assert server.wait(60) == 0
        finally:
            watchdog.cancel()
            server.kill()
    assert translated.returncode == 0, translated.stderr
    assert "réseau" in translated.stdout


def test_the_source_distribution_makes_the_same_wheel(dist, tmp_path):
    uv = Path(sys.executable).with_name("uv")
    (sdist,) = dist.glob("ferryman-*.tar.gz")
    build = [uv, "build", "--quiet", "--wheel", "--out-dir", tmp_path, sdist]
    subprocess.run(build, check=True, timeout=300)
    (first,), (again,) = dist.glob("ferryman-*.whl"), tmp_path.glob("*.whl")
    assert first.read_bytes() == again.read_bytes()


@pytest.mark.parametrize("role", ["client", "server"])
def test_every_library_is_in_the_bill_of_materials_with_its_licence(dist, role):
    bill = json.loads((dist / f"{role}.cdx.json").read_text("utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    named = {part["name"].lower().replace("_", "-") for part in bill["components"]}
    locked = re.findall(
        r"^([\w.-]+)==[^;\n]*\\$",
        (ROOT / "deploy" / "locks" / f"{role}.txt").read_text("utf-8"),
        flags=re.MULTILINE,
    )
    assert len(locked) > 10
    assert {name.lower() for name in locked} <= named


@pytest.mark.parametrize("role", ["client", "server"])
def test_no_library_that_ships_is_under_the_gpl(dist, role):
    table = (dist / f"LICENCES-{role}.md").read_text("utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    assert len(rows) > 10
    for name, _, licence, *_ in rows:
        assert licence != "UNKNOWN", name
        assert not re.search(r"\bA?GPL|GNU (Affero )?General", licence), (name, licence)
