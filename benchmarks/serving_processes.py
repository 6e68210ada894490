"""Servers in processes of their own, each pinned to a core, and calls to them."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import grpc

from ferryman.v1 import options_pb2, translation_service_pb2, translation_service_pb2_grpc

_HOST: Final = "127.0.0.1"
_READY_SECONDS: Final = 120
_STOP_SECONDS: Final = 30
_POLL_SECONDS: Final = 0.1


class ServerError(RuntimeError):
    """A server did not start; what it said is in the message."""


@contextmanager
def ferryman_server(bundle: Path, core: int) -> Iterator[str]:
    """Serve a bundle with one worker of its variant int8; yield the address."""
    options = ["--workers=1", "--variant=int8"]
    with _server(lambda address: _ferryman(address, bundle, *options), core) as address:
        yield address


@contextmanager
def ctranslate2_server(
    directory: Path, bundle: Path, core: int, *, max_batch_size: int, wait_milliseconds: float
) -> Iterator[str]:
    """Serve a converted model behind a micro-batcher; yield the address."""
    options = [f"--max-batch-size={max_batch_size}", f"--wait-milliseconds={wait_milliseconds}"]
    program = ["-m", "benchmarks.ctranslate2_server", str(directory), str(bundle), *options]
    with _server(lambda address: [*program, f"--address={address}"], core) as address:
        yield address


def _ferryman(address: str, bundle: Path, *options: str) -> list[str]:
    return ["-m", "ferryman", "serve", f"--address={address}", *options, str(bundle)]


@contextmanager
def _server(program: Callable[[str], list[str]], core: int) -> Iterator[str]:
    """Run a Python program that serves at an address, on one core; end it afterwards.

    Raises:
        ServerError: It ended before, or took too long.
    """
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryFile("w+") as log:
        command = [sys.executable, *program(f"{_HOST}:{port}")]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        # Threads that it starts later inherit this.
        os.sched_setaffinity(process.pid, {core})
        try:
            if not _is_listening(process, port):
                log.seek(0)
                raise ServerError(f"the server did not start; it said: {log.read()}")
            yield f"{_HOST}:{port}"
        finally:
            _end(process)


def _is_listening(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until a process listens at a port; False where it ended or takes too long."""
    end = time.monotonic() + _READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((_HOST, port)):
            return True
        time.sleep(_POLL_SECONDS)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Caller:
    """Calls of one server, each with one sentence, greedily. An asynchronous context manager."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.aio.insecure_channel(address)
        stub = translation_service_pb2_grpc.TranslationServiceStub(self._channel)
        self._translate: Callable[..., Awaitable[object]] = stub.TranslateText

    async def __aenter__(self) -> Caller:
        """Wait until the server answers."""
        await self._translate(_request("Hello."), wait_for_ready=True, timeout=_READY_SECONDS)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connection."""
        await self._channel.close()

    async def __call__(self, sentence: str) -> object:
        """Translate a sentence."""
        return await self._translate(_request(sentence))


def _request(sentence: str) -> translation_service_pb2.TranslateTextRequest:
    return translation_service_pb2.TranslateTextRequest(
        contents=[sentence],
        decoding=options_pb2.DecodingOptions(beam_size=1),
        text=options_pb2.TextOptions(split_sentences=False),
    )
