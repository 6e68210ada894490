"""Keys and certificates, with the commands and the file that a person would write."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from ferryman.v1 import admin_service_pb2

UNIT_TESTS = Path(__file__).parents[1] / "unit" / "server"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate authority, and a certificate of the server."""
    if str(UNIT_TESTS) not in sys.path:
        sys.path.insert(0, str(UNIT_TESTS))
    module = importlib.import_module("certificate_authority")
    return module.Authority(tmp_path_factory.mktemp("certificates"))


def stranger(**variables: str) -> dict[str, str]:
    """The environment of a process that knows nothing of who runs the tests."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": ":".join(sys.path), **variables}


def bench(address: str, *flags: str, key: str = "") -> subprocess.CompletedProcess[str]:
    usual = ("--server", address, "--concurrency", "2", "--seconds", "0.3", "--warm-up", "0")
    return subprocess.run(
        [sys.executable, "-m", "ferryman", "bench", *usual, "--json", *flags],
        env=stranger(FERRYMAN_KEY=key),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_only_who_has_a_key_and_the_authority_is_served(
    serving, reversal, ferryman, authority, tmp_path
):
    keys, pair = tmp_path / "keys.json", authority.sign("server")
    website = ferryman("keys", "add", str(keys), "website").stdout.strip()
    operator = ferryman("keys", "add", str(keys), "operator", "--admin").stdout.strip()
    file = tmp_path / "server.toml"
    file.write_text(
        f"""
        [security]
        tls_certificate = "{pair.certificate}"
        tls_key = "{pair.key}"
        keys_file = "{keys}"
        probe_address = "127.0.0.1:0"
        [admin]
        models_root = "{tmp_path}"
        admin_address = "127.0.0.1:0"
        """
    )
    ca = ("--ca", str(authority.certificate))
    with serving(reversal.bundle, "--config", str(file), "--trial-seconds", "0") as server:
        good = bench(server.address, *ca, key=website)
        assert good.returncode == 0, good.stderr
        assert json.loads(good.stdout)["levels"][0]["answered"] > 0
        refused = bench(server.address, *ca, key="ferryman_wrong")
        assert (refused.returncode, "UNAUTHENTICATED" in refused.stderr) == (5, True)
        plain = bench(server.address, key=website)
        assert (plain.returncode, "UNAVAILABLE" in plain.stderr) == (5, True)

        probe = server.wait_for(r"health on +(\S+)")[1]
        answer = subprocess.run(
            [sys.executable, "-m", "ferryman_server.probe"],
            env=stranger(FERRYMAN_CONFIG=str(file), FERRYMAN_PROBE_ADDRESS=probe),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr

        admin = server.wait_for(r"admin on +(\S+)")[1]
        credentials = grpc.ssl_channel_credentials(Path(authority.certificate).read_bytes())
        with grpc.secure_channel(admin, credentials) as channel:
            service = admin_service_pb2.DESCRIPTOR.services_by_name["AdminService"]
            codes = {}
            for name, key in (("website", website), ("operator", operator)):
                for method in service.methods:
                    call = channel.unary_unary(f"/{service.full_name}/{method.name}")
                    headers = [("authorization", f"Bearer {key}")]
                    try:
                        call(b"\xff", metadata=headers, timeout=10)
                    except grpc.RpcError as error:
                        codes.setdefault(name, set()).add(error.code())
        assert codes["website"] == {grpc.StatusCode.PERMISSION_DENIED}
        # Bytes that are no message: the method was reached, and what it was asked is no question.
        assert codes["operator"] <= {
            grpc.StatusCode.INVALID_ARGUMENT,
            grpc.StatusCode.UNIMPLEMENTED,
        }
        assert grpc.StatusCode.INVALID_ARGUMENT in codes["operator"]
        assert server.end() == 0
    assert "client=website" in server.log
    assert website not in server.log
    assert operator not in server.log
