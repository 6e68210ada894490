"""The server as the operating system sees it: signals, memory maps, files, exit codes."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from ferryman import Client
from ferryman.v1.translation_service_pb2 import TranslateTextRequest
from ferryman.v1.translation_service_pb2_grpc import TranslationServiceStub


def one_line(stderr: str) -> str:
    """The message of a command that did not start: one line, and no traceback."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    assert len(lines) == 1, stderr
    return lines[0]


async def keep_calling(address: str, callers: int, texts: list[str]) -> dict[str, grpc.StatusCode]:
    """Call from many callers at once until the server is gone; return the code of every call."""
    codes: dict[str, grpc.StatusCode] = {}

    async def caller(number: int, stub: TranslationServiceStub) -> None:
        for call in range(10_000):
            name = f"caller-{number}-{call}"
            try:
                response = await stub.TranslateText(
                    TranslateTextRequest(contents=texts, request_id=name)
                )
            except grpc.aio.AioRpcError as error:
                codes[name] = error.code()
                return
            assert len(response.translations) == len(texts)
            codes[name] = grpc.StatusCode.OK

    async with grpc.aio.insecure_channel(address) as channel:
        stub = TranslationServiceStub(channel)
        await asyncio.gather(*(caller(number, stub) for number in range(callers)))
    return codes


async def test_a_signal_under_load_loses_nothing_that_was_accepted(serving, reversal):
    texts = [source for source, _ in reversal.test[:8]]
    with serving(reversal.bundle) as server:
        load = asyncio.ensure_future(keep_calling(server.address, callers=24, texts=texts))
        await asyncio.to_thread(server.wait_for, r"request_id=caller-0-5 code=OK")
        code = await asyncio.to_thread(server.end)
        codes = await load
    assert code == 0, server.log
    assert int(re.search(r"draining signal=SIGTERM calls=(\d+)", server.log)[1]) > 0
    answered = set(re.findall(r"TranslateText request_id=(\S+) code=OK", server.log))
    received = {name for name, status in codes.items() if status is grpc.StatusCode.OK}
    assert received == answered
    assert set(codes.values()) <= {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
    assert "Traceback" not in server.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_server_ends_at_once_with_0(serving, reversal, number):
    with serving(reversal.bundle) as server:
        assert server.end(number, seconds=10) == 0
        assert "draining" in server.log


def test_the_server_never_loads_torch_and_writes_one_file_into_the_home(
    serving, reversal, tmp_path
):
    with serving(reversal.bundle, HOME=str(tmp_path), XDG_CACHE_HOME="") as server:
        with Client(server.address) as client:
            assert client.translate("a b c d").text == "d c b a"
        maps = Path(f"/proc/{server.process.pid}/maps").read_text()
        assert "onnxruntime" in maps, "the maps are those of the process that translates"
        assert "torch" not in maps
        assert server.end() == 0
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written == [tmp_path / ".cache" / "ferryman" / "known-bundles"]
    assert re.fullmatch(r"[0-9a-f]{64} [a-z0-9]+ onnxruntime-\S+\n", written[0].read_text("ascii"))


def test_a_server_that_may_write_nothing_starts(serving, tmp_path):
    (tmp_path / "cache").write_text("a file in the place of a folder")
    bundle = Path(__file__).parents[1] / "data" / "format-1"
    with serving(bundle, XDG_CACHE_HOME=str(tmp_path / "cache")) as server:
        assert server.end() == 0


def test_no_text_is_in_the_log(serving, reversal):
    with serving(reversal.bundle) as server:
        with Client(server.address) as client:
            client.translate("q w e r t y")
        server.end()
    assert "code=OK" in server.log
    assert "q w e r t y" not in server.log
    assert "y t r e w q" not in server.log


def probe(address: str) -> int:
    return subprocess.run(
        [sys.executable, "-m", "ferryman_server.probe"],
        env={"FERRYMAN_ADDRESS": address, "PATH": "", "PYTHONPATH": ":".join(sys.path)},
        stderr=subprocess.DEVNULL,
        timeout=30,
        check=False,
    ).returncode


def test_the_probe_tells_a_server_from_none(server):
    assert probe(server.address) == 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    assert probe(address) == 1


def test_a_port_in_use_is_told_in_one_line(ferryman, server, reversal):
    finished = ferryman("serve", str(reversal.bundle), "--address", server.address)
    assert finished.returncode == 1
    assert server.address in one_line(finished.stderr)


def test_faults_of_the_configuration_are_told_all_at_once(ferryman, reversal):
    finished = ferryman("serve", str(reversal.bundle), "--workers", "none", "--max-rows", "0")
    assert finished.returncode == 2
    assert "--workers" in finished.stderr
    assert "--max-rows" in finished.stderr
    assert "Traceback" not in finished.stderr


@pytest.fixture
def damaged(reversal, tmp_path):
    """A copy of the bundle, for a test to damage."""
    return Path(shutil.copytree(reversal.bundle, tmp_path / "damaged"))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda bundle: flip(bundle / "weights.safetensors"),
        lambda bundle: flip(bundle / "step.onnx"),
        lambda bundle: (bundle / "tokenizer.model").unlink(),
        lambda bundle: (bundle / "extra.txt").write_text("x"),
        lambda bundle: (bundle / "manifest.json").write_text("{"),
    ],
    ids=["weights flipped", "graph flipped", "file missing", "file too many", "no manifest"],
)
def test_a_damaged_bundle_is_told_in_one_line(ferryman, damaged, damage):
    damage(damaged)
    finished = ferryman("serve", str(damaged), "--address", "127.0.0.1:0")
    assert finished.returncode == 4
    assert "damaged" in one_line(finished.stderr)


def test_a_bundle_that_is_not_there_is_told_in_one_line(ferryman, tmp_path):
    finished = ferryman("serve", str(tmp_path / "none"))
    assert finished.returncode == 4
    assert str(tmp_path / "none") in one_line(finished.stderr)


def test_cuda_is_refused_rather_than_replaced(ferryman, reversal):
    finished = ferryman("serve", str(reversal.bundle), "--device", "cuda")
    assert finished.returncode == 1
    assert "--device cuda" in one_line(finished.stderr)
