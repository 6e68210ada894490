"""Podman and buildah with a store of their own, on machines with or without a registry.

Images are built and containers run as root, without a daemon and without systemd. Where no image
registry can be reached, the base image is made of Debian packages.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOLS = ("podman", "buildah", "runc", "debootstrap")
DEBIAN_BASE = "localhost/python:debian"
"""The base image that is made here: Debian's own Python 3.11."""
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PIP_CONFIGURATION = Path("/etc/pip.conf")

_STORAGE = """
[storage]
driver = "overlay"
graphroot = "{folder}/store"
runroot = "{folder}/run"
[storage.options.overlay]
skip_mount_home = "true"
"""
# Limits are set here because a root without all capabilities may not raise its own.
_CONTAINERS = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[network]
network_backend = "netavark"
"""


class Podman:
    """Runs podman and buildah on images and containers that nobody else sees.

    Args:
        folder: Where images are kept, from one run to the next.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        storage, containers = folder / "storage.conf", folder / "containers.conf"
        storage.write_text(_STORAGE.format(folder=folder))
        containers.write_text(_CONTAINERS)
        self._environment = os.environ | {
            "CONTAINERS_STORAGE_CONF": str(storage),
            "CONTAINERS_CONF": str(containers),
        }

    def run(self, *command: str, check: bool = True, seconds: float = 120, merged=False, **options):
        """Run a command to its end, and return what it printed, with its stderr if ``merged``."""
        finished = subprocess.run(
            command,
            env=self._environment | options.pop("variables", {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            encoding="utf-8",
            timeout=seconds,
            check=False,
            cwd=ROOT,
            **options,
        )
        failed = check and finished.returncode != 0
        assert not failed, (
            f"{' '.join(command)}: {finished.stdout[-2000:]}{finished.stderr[-4000:]}"
        )
        return finished.stdout.strip()

    def succeeds(self, *command: str) -> bool:
        """Tell whether a command ends with 0."""
        finished = subprocess.run(
            command, env=self._environment, capture_output=True, timeout=60, check=False
        )
        return finished.returncode == 0

    def base_image(self) -> str:
        """Return the base image: ``BASE_IMAGE``, or one that is made of Debian packages."""
        if chosen := os.environ.get("BASE_IMAGE"):
            return chosen
        if not self.succeeds("podman", "image", "exists", DEBIAN_BASE):
            self._make_debian_base()
        return DEBIAN_BASE

    def _make_debian_base(self) -> None:
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            root = Path(folder)
            packages = "--include=python3,python3-venv,ca-certificates"
            self.run("debootstrap", "--variant=minbase", packages, "bookworm", folder, seconds=600)
            for part in ("doc", "man", "locale"):
                shutil.rmtree(root / "usr/share" / part)
            for part in ("var/cache/apt/archives", "var/lib/apt/lists"):
                shutil.rmtree(root / part)
            (root / "usr/bin/python").symlink_to("python3")
            archive = ["tar", "-C", folder, "-c", "."]
            with subprocess.Popen(archive, stdout=subprocess.PIPE) as tar:
                self.run("podman", "import", "-", DEBIAN_BASE, stdin=tar.stdout, seconds=300)
            assert tar.returncode == 0

    def build(self, role: str) -> str:
        """Build the image of a role as ``make image`` does, and return its name.

        Without a daemon that has a network of its own, the build shares the one of this machine,
        with its certificates and its package index.
        """
        flags = ["--isolation", "chroot", "--network", "host"]
        for path in (CERTIFICATES, PIP_CONFIGURATION):
            if path.exists():
                flags += ["--volume", f"{path}:{path}:ro"]
        image = f"localhost/ferryman-check-{role}"
        variables = {
            "CONTAINER_TOOL": "buildah",
            "BASE_IMAGE": self.base_image(),
            "IMAGE": image,
        }
        self.run("deploy/build-image", role, *flags, seconds=900, variables=variables)
        return image

    def inspect(self, name: str) -> dict:
        """Return what podman knows of an image or a container."""
        (facts,) = json.loads(self.run("podman", "inspect", name))
        return facts


class Container:
    """A container, which is removed at the end.

    Args:
        podman: What runs it.
        image: What it is made of.
        flags: For ``podman run``.
        command: What it runs, behind the entry point of the image.
    """

    def __init__(
        self, podman: Podman, image: str, *flags: str, command: Sequence[str] = ()
    ) -> None:
        self._podman = podman
        begun = time.monotonic()
        flags = ("--no-healthcheck", *flags)
        self.id = podman.run("podman", "run", "--detach", *flags, image, *command)
        self.started = begun
        """When it was asked for, on the monotonic clock."""

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *_: object) -> None:
        self._podman.run("podman", "rm", "--force", "--time", "1", self.id, check=False)

    def execute(self, *command: str, check: bool = True) -> str:
        """Run a command inside."""
        return self._podman.run("podman", "exec", self.id, *command, check=check)

    def shell(self, script: str) -> str:
        """Run a script inside, by the shell of the base image; it need not succeed."""
        return self.execute("sh", "-c", script, check=False)

    @property
    def log(self) -> str:
        """What it has printed, on both channels."""
        command = ["podman", "logs", self.id]
        return self._podman.run(*command, merged=True)

    @property
    def running(self) -> bool:
        """Whether its first process is alive."""
        return bool(self._podman.inspect(self.id)["State"]["Running"])

    def stop(self, seconds: int = 40) -> int:
        """Send SIGTERM, wait, and return the exit code; SIGKILL after the time."""
        wait = ("--time", str(seconds))
        self._podman.run("podman", "stop", *wait, self.id, seconds=seconds + 30)
        return int(self._podman.inspect(self.id)["State"]["ExitCode"])
