"""Images that are really built, and containers that really run: ``make image-check``."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

# Their tools are modules of their own, which --import-mode=importlib does not look for.
sys.path.insert(0, str(Path(__file__).parent))
from callers import wait_until_serving
from podman import TOOLS, Container, Podman

FOLDER = Path(os.environ.get("FERRYMAN_IMAGE_CHECK", "/var/tmp/ferryman-image-check"))
"""Images stay here from run to run; `rm -r` removes them."""
MEMORY = "512m"
HARDENED = (
    "--read-only",
    "--read-only-tmpfs=false",
    "--tmpfs=/tmp:rw,noexec,nosuid,size=16m,mode=1777",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    "--pids-limit=128",
    "--cpus=1",
)
"""What deploy/compose.yaml and the chart ask for as well."""

_times = pytest.StashKey[list[tuple[str, str]]]()
Note = Callable[[str, str], None]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_times] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.container)
            item.add_marker(pytest.mark.timeout(1800))


def pytest_terminal_summary(terminalreporter) -> None:
    rows = terminalreporter.config.stash[_times]
    if rows:
        terminalreporter.section("measured")
    for name, value in rows:
        terminalreporter.write_line(f"{name:<50} {value:>24}")


@pytest.fixture(scope="session")
def note(request) -> Note:
    """Keep a figure for the end of the report."""
    rows = request.config.stash[_times]
    return lambda name, value: rows.append((name, value))


@pytest.fixture(scope="session")
def podman(note: Note) -> Podman:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    packages = "apt-get install buildah podman runc debootstrap catatonit netavark iptables"
    assert not missing, f"these are not installed: {', '.join(missing)}; as root: {packages}"
    assert os.geteuid() == 0, "containers with limits of memory and processor need root"
    podman = Podman(FOLDER)
    begun = time.monotonic()
    note("the base image", podman.base_image())
    note("making it, if it was not there", f"{time.monotonic() - begun:.1f} s")
    return podman


def _built(podman: Podman, role: str, note: Note) -> str:
    begun = time.monotonic()
    image = podman.build(role)
    note(f"building the image {role}", f"{time.monotonic() - begun:.1f} s")
    note(f"size of the image {role}", f"{podman.inspect(image)['Size'] / 1e6:.0f} MB")
    return image


@pytest.fixture(scope="session")
def server_image(podman: Podman, note: Note) -> str:
    return _built(podman, "server", note)


@pytest.fixture(scope="session")
def client_image(podman: Podman, note: Note) -> str:
    return _built(podman, "client", note)


@dataclass
class Serving:
    """A container that serves."""

    container: Container
    address: str
    seconds_to_serving: float


Serve = Callable[..., AbstractContextManager[Serving]]


@pytest.fixture(scope="session")
def serving(podman: Podman, server_image: str) -> Serve:
    """Run the server, hardened and within limits: ``with serving("--memory=1g") as server``."""

    @contextmanager
    def serve(*flags: str, command: tuple[str, ...] = ()) -> Iterator[Serving]:
        address = f"127.0.0.1:{free_port()}"
        flags = (*HARDENED, f"--memory={MEMORY}", f"--memory-swap={MEMORY}", *flags)
        publish = f"--publish={address}:50051"
        with Container(podman, server_image, publish, *flags, command=command) as container:
            wait_until_serving(address, container)
            yield Serving(container, address, time.monotonic() - container.started)

    return serve


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
