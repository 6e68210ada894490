"""The image of the server: what is in it, how it runs, and how it ends."""

from __future__ import annotations

import asyncio
import os
import re
import time
from pathlib import Path

import grpc
from callers import Load
from podman import Container

from ferryman import Client

PROBE = ("python", "-m", "ferryman_server.probe")
SENTENCE = "The network is not available."
MOST_BYTES = 450_000_000
SERVING_WITHIN = 5.0
"""Seconds from `podman run` to SERVING, with one core."""
FLOOD_SECONDS = float(os.environ.get("FERRYMAN_FLOOD_SECONDS", "20"))
"""Ten minutes, 600, is what a release should get."""
BUNDLE = Path(__file__).parents[2] / "models/en-fr/ferryman_model_en_fr/bundle"
TEXTS = [
    "If the connection is lost, the system tries again after a few seconds.",
    "Do you want to save the changes before you close the document?",
    "This command displays the contents of the directory.",
]


def test_the_image_says_what_it_is_and_how_it_runs(podman, server_image):
    facts = podman.inspect(server_image)
    settings = facts["Config"]
    assert facts["Size"] <= MOST_BYTES
    assert settings["User"] == "65532:65532"
    assert settings["StopSignal"] == "SIGTERM"
    assert "ORT_DISABLE_TELEMETRY=1" in settings["Env"]
    assert facts["Healthcheck"]["Test"] == ["CMD", *PROBE]
    labels = {name.rpartition(".")[2]: text for name, text in settings["Labels"].items()}
    assert labels["licenses"] == "Apache-2.0"
    assert re.fullmatch(r"\d+\.\d+\.\d+", labels["version"])
    assert re.fullmatch(r"[0-9a-f]{40}", labels["revision"])


def test_it_serves_within_seconds_and_translates_for_those_outside(serving, note):
    with serving() as server:
        note("podman run -> SERVING, 1 core, 512 MB", f"{server.seconds_to_serving:.2f} s")
        assert server.seconds_to_serving < SERVING_WITHIN
        with Client(server.address) as client:
            assert "réseau" in client.translate(SENTENCE, source="en", target="fr").text
        server.container.execute(*PROBE)
        peak = server.container.shell("grep VmHWM /proc/1/status | tr -dc 0-9")
        note("peak memory of the server process", f"{int(peak) / 1024:.0f} MiB")
        begun = time.monotonic()
        assert server.container.stop() == 0
        note("SIGTERM -> exit 0, idle", f"{time.monotonic() - begun:.2f} s")


def test_it_is_hardened_seen_from_inside(serving):
    with serving() as server:
        shell = server.container.shell
        assert shell("id -u; id -g").split() == ["65532", "65532"]
        assert "Read-only" in shell("touch /anything 2>&1")
        assert "Read-only" in shell("touch /opt/ferryman/anything 2>&1")
        status = dict(re.findall(r"(\w+):\s*(\S+)", shell("cat /proc/1/status")))
        assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2"
        assert shell("find / -xdev -type f -perm /6000 2>/dev/null") == ""


def test_nothing_in_it_compiles_installs_or_trains(serving):
    with serving() as server:
        shell = server.container.shell
        names = "gcc cc clang ld as make pip pip3 pip3.11 curl wget git ssh"
        assert shell(f"for name in {names}; do command -v $name; done") == ""
        modules = "torch onnx pip ensurepip.__main__ grpc_tools ferryman_training"
        script = (
            f'for name in {modules}; do python -c "import $name" 2>/dev/null && echo $name; done'
        )
        assert shell(script) == ""
        assert shell("find / -xdev -name '*.whl' -o -xdev -path '*/.cache/pip' 2>/dev/null") == ""


def test_a_bundle_that_is_mounted_is_served(serving):
    mount = f"--volume={BUNDLE}:/bundles/mine:ro"
    with serving(mount, command=("/bundles/mine",)) as server, Client(server.address) as client:
        assert "réseau" in client.translate(SENTENCE, source="en", target="fr").text


def test_it_starts_without_a_network(podman, server_image):
    with Container(podman, server_image, "--network=none") as container:
        deadline = time.monotonic() + 30
        while not podman.succeeds("podman", "exec", container.id, *PROBE):
            assert time.monotonic() < deadline, container.log


def test_the_client_image_translates_what_it_is_given(podman, serving, client_image):
    with serving() as server:
        network = f"--network=container:{server.container.id}"
        flags = ("--rm", "--interactive", "--read-only", "--cap-drop=all", network)
        text = "\n".join(TEXTS) + "\n"
        output = podman.run(
            "podman",
            "run",
            *flags,
            client_image,
            "translate",
            "--from",
            "en",
            "--to",
            "fr",
            input=text,
        )
        lines = output.splitlines()
        assert len(lines) == len(TEXTS)
        assert "répertoire" in lines[-1]


async def test_a_signal_under_load_loses_nothing_that_was_accepted(serving, note):
    with serving() as server:
        load = Load(server.address, TEXTS, callers=24)
        calling = asyncio.ensure_future(load.run())
        while load.count(grpc.StatusCode.OK) < 24:
            await asyncio.sleep(0.05)
        begun = time.monotonic()
        code = await asyncio.to_thread(server.container.stop)
        note("SIGTERM -> exit 0, 24 callers at work", f"{time.monotonic() - begun:.2f} s")
        await calling
        log = server.container.log
    assert code == 0, log
    assert int(re.search(r"draining signal=SIGTERM calls=(\d+)", log)[1]) > 0
    answered = set(re.findall(r"TranslateText request_id=(\S+) code=OK", log))
    received = {name for name, status in load.codes.items() if status is grpc.StatusCode.OK}
    assert received == answered
    assert set(load.codes.values()) <= {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
    note("calls answered, and lost", f"{len(answered)}, 0")


async def test_a_flood_is_refused_by_admission_and_never_killed_for_memory(serving, note):
    # A queue that one core finishes within the 30 seconds of a drain.
    with serving("--env=FERRYMAN_MAX_QUEUED_TOKENS=65536") as server:
        load = Load(server.address, TEXTS * 300, callers=12)
        calling = asyncio.ensure_future(load.run())
        await asyncio.sleep(FLOOD_SECONDS)
        load.stopped = True
        assert server.container.running, server.container.log
        peak = server.container.shell("grep VmHWM /proc/1/status | tr -dc 0-9")
        kills = server.container.shell(
            "cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2>/dev/null"
        )
        code = await asyncio.to_thread(server.container.stop)
        await calling
    note(
        f"peak memory in a flood of {FLOOD_SECONDS:g} s, of 512 MiB", f"{int(peak) / 1024:.0f} MiB"
    )
    assert re.search(r"^oom_kill 0$", kills, flags=re.MULTILINE), kills
    assert code == 0
    refused = load.count(grpc.StatusCode.RESOURCE_EXHAUSTED)
    note("calls translated, and refused", f"{load.count(grpc.StatusCode.OK)}, {refused}")
    assert refused > 0
    assert load.count(grpc.StatusCode.OK) > 0
    allowed = {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE}
    assert set(load.codes.values()) <= allowed
