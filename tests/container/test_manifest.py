"""The Deployment of the chart, played by podman: a translation, and a drain."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
import yaml
from callers import Load, wait_until_serving

from ferryman import Client

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("FERRYMAN_DEPLOY_PYTHON", str(ROOT / ".venv-deploy" / "bin" / "python"))
TEXTS = [
    "If the connection is lost, the system tries again after a few seconds.",
    "This command displays the contents of the directory.",
]


@pytest.fixture
def pod(podman, server_image, tmp_path):
    """The pod of the rendered Deployment; podman knows no other kinds that the chart makes."""
    repository, tag = server_image, "latest"
    values = tmp_path / "values.yaml"
    values.write_text(
        yaml.safe_dump(
            {
                "image": {"repository": repository, "tag": tag},
                "replicas": 1,
                "server": {"logFormat": "text"},
                "resources": {
                    "requests": {"cpu": "1", "memory": "512Mi"},
                    "limits": {"cpu": "1", "memory": "512Mi"},
                },
            }
        )
    )
    render = str(ROOT / "deploy" / "helm" / "render.py")
    rendered = podman.run(PYTHON, render, "check", "default", str(values))
    (deployment,) = (each for each in yaml.safe_load_all(rendered) if each["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    # Ports are for people, except to this podman, which takes them on the machine.
    del container["ports"]
    manifest = tmp_path / "deployment.yaml"
    manifest.write_text(yaml.safe_dump(deployment))
    with _played(podman, manifest) as pod:
        yield pod


class Pod:
    """A pod with one container besides podman's own."""

    def __init__(self, podman, name: str) -> None:
        self._podman = podman
        self.name = name
        self.server = f"{name}-server"

    @property
    def address(self) -> str:
        infra = self._podman.run(
            "podman", "pod", "inspect", self.name, "--format", "{{.InfraContainerID}}"
        )
        networks = self._podman.inspect(infra)["NetworkSettings"]["Networks"]
        (network,) = networks.values()
        return f"{network['IPAddress']}:50051"

    @property
    def log(self) -> str:
        return self._podman.run("podman", "logs", self.server, merged=True)

    def shell(self, script: str) -> str:
        return self._podman.run("podman", "exec", self.server, "sh", "-c", script, check=False)

    def stop(self, seconds: int) -> int:
        """Stop the server as a kubelet would, and return its exit code.

        A pod keeps its network to the end there; ``podman pod stop`` takes it away at once.
        """
        wait = ("--time", str(seconds))
        self._podman.run("podman", "stop", *wait, self.server, seconds=seconds + 30)
        return int(self._podman.inspect(self.server)["State"]["ExitCode"])


@contextmanager
def _played(podman, manifest: Path) -> Iterator[Pod]:
    podman.run("podman", "kube", "play", str(manifest))
    try:
        pod = Pod(podman, "check-ferryman-pod-0")
        wait_until_serving(pod.address, pod)
        yield pod
    finally:
        podman.run("podman", "kube", "down", str(manifest), check=False)


async def test_the_rendered_deployment_translates_is_hardened_and_drains(pod, note):
    with Client(pod.address) as client:
        assert "réseau" in client.translate("The network is not available.", target="fr").text
    assert pod.shell("id -u") == "65532"
    assert "Read-only" in pod.shell("touch /anything 2>&1")
    assert int(re.search(r"CapEff:\s*(\w+)", pod.shell("cat /proc/1/status"))[1], 16) == 0
    limits = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null"
    assert int(pod.shell(limits)) == 512 << 20

    load = Load(pod.address, TEXTS, callers=16)
    calling = asyncio.ensure_future(load.run())
    while load.count(grpc.StatusCode.OK) < 16:
        await asyncio.sleep(0.05)
    begun = time.monotonic()
    code = await asyncio.to_thread(pod.stop, 40)
    note("the Deployment, played: SIGTERM -> exit 0", f"{time.monotonic() - begun:.2f} s")
    await calling
    answered = set(re.findall(r"TranslateText request_id=(caller-\S+) code=OK", pod.log))
    received = {name for name, status in load.codes.items() if status is grpc.StatusCode.OK}
    assert code == 0
    assert received == answered
    assert set(load.codes.values()) <= {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
