"""The first translation: serve the default model, translate a few sentences, stop the server.

Run by ``make run``. It needs ``ferryman[server]`` and a model package, and calls the two commands
that a person would: ``ferryman serve`` and ``ferryman translate``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

FERRYMAN = Path(sysconfig.get_path("scripts")) / "ferryman"
READY_WITHIN = 90.0
"""Seconds that a server may take to load and check its model, on a slow machine."""
STOPPED_WITHIN = 45.0
"""Seconds that a server may take to finish what it has."""

SENTENCES = (
    "Open the file in a text editor.",
    "The package could not be installed because a dependency is missing.",
    "You can change the size of the window in the settings.",
    "This command displays the contents of the directory.",
    "Do you want to save the changes before you close the document?",
    "If the connection is lost, the system tries again after a few seconds.",
)


class DemoError(Exception):
    """What went wrong, for a person to read."""


def main() -> int:
    """Translate `SENTENCES` and print them; return the exit code."""
    # A polite kill is an interrupt: the server that this program started must not outlive it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    address = f"127.0.0.1:{_free_port()}"
    try:
        with tempfile.TemporaryFile() as log, _serving(address, log) as ready_after:
            print(f"A server with the default model is ready after {ready_after:.1f} s.\n")
            for sentence, translation in zip(SENTENCES, _translate(address), strict=True):
                print(f"  en  {sentence}\n  fr  {translation}\n")
        print("The server is stopped.\n")
    except DemoError as error:
        print(f"make run: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The server is stopped.", file=sys.stderr)
        return 130
    _print_next_steps()
    return 0


@contextlib.contextmanager
def _serving(address: str, log: IO[bytes]) -> Iterator[float]:
    """Run a server while the block runs; yields the seconds it took to be ready.

    Raises:
        DemoError: The server did not get ready, or did not stop cleanly.
    """
    begun = time.monotonic()
    # A session of its own: Ctrl-C reaches this program alone, which then stops the server.
    server = subprocess.Popen(
        [FERRYMAN, "serve", "--address", address],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        _wait_until_serving(server, address, log)
        yield time.monotonic() - begun
    finally:
        code = _stop(server)
    if code != 0:
        raise DemoError(f"the server ended with exit code {code}{_tail(log)}")


def _wait_until_serving(server: subprocess.Popen[bytes], address: str, log: IO[bytes]) -> None:
    """Return when the health service says SERVING."""
    deadline = time.monotonic() + READY_WITHIN
    # A proxy from the environment has no business between this program and its own server.
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        while time.monotonic() < deadline:
            if server.poll() is not None:
                raise DemoError(f"the server ended with {server.returncode}{_tail(log)}")
            with contextlib.suppress(grpc.RpcError):
                answer = health.Check(health_pb2.HealthCheckRequest(), timeout=1.0)
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
            time.sleep(0.1)
    raise DemoError(f"the server was not ready after {READY_WITHIN:.0f} s{_tail(log)}")


def _translate(address: str) -> list[str]:
    """Return what ``ferryman translate`` prints for the lines of `SENTENCES`.

    Raises:
        DemoError: It failed, or a line has no translation.
    """
    finished = subprocess.run(
        [FERRYMAN, "translate", "--server", address, "--from", "en", "--to", "fr"],
        input="\n".join(SENTENCES) + "\n",
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    translations = finished.stdout.splitlines()
    if finished.returncode != 0 or len(translations) != len(SENTENCES) or not all(translations):
        raise DemoError(f"`ferryman translate` failed:\n{finished.stdout}{finished.stderr}")
    return translations


def _stop(server: subprocess.Popen[bytes]) -> int:
    """Ask the server to stop, wait until it has, and return its exit code."""
    server.terminate()
    try:
        return server.wait(STOPPED_WITHIN)
    except subprocess.TimeoutExpired:
        server.kill()
        return server.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _tail(log: IO[bytes]) -> str:
    """Return the end of the server's log, to go into an error message."""
    log.seek(0)
    lines = log.read().decode("utf-8", "replace").splitlines()[-15:]
    return "; its log ends with:\n" + "\n".join(f"  {line}" for line in lines) if lines else ""


def _print_next_steps() -> None:
    command = os.path.relpath(FERRYMAN)
    print(
        f"""To go on, in one terminal:

  {command} serve

and in another:

  {command} translate --from en --to fr "The network is not available."
  echo "Press any key to continue." | {command} translate --from en --to fr
  {command} translate --help

README.md says how to call it from Python, and how to train a model of your own."""
    )


if __name__ == "__main__":
    sys.exit(main())
