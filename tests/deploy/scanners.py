"""The tools that look for what is unsafe or unusual, as they are run here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHECKOV = ROOT / ".venv-checkov" / "bin" / "checkov"
CONFIG = ROOT / "deploy" / "checkov.yaml"


def checkov(framework: str, *files: Path) -> set[str]:
    """Return the checks that fail, less those that deploy/checkov.yaml leaves out."""
    command = [CHECKOV, "--config-file", CONFIG, "--framework", framework, "--file", *files]
    finished = subprocess.run(
        command, capture_output=True, check=False, encoding="utf-8", timeout=300
    )
    found = set(re.findall(r"^Check: (\w+):", finished.stdout, flags=re.MULTILINE))
    assert (finished.returncode != 0) == bool(found), finished.stdout + finished.stderr
    return found


def hadolint(*files: Path) -> str:
    """Return what hadolint has to say of Dockerfiles."""
    tool = Path(sys.executable).with_name("hadolint")
    finished = subprocess.run([tool, *files], capture_output=True, check=False, encoding="utf-8")
    assert finished.returncode in {0, 1}, finished.stderr
    return finished.stdout
