"""Is the server of this machine healthy? For a container's health check.

    python -m ferryman_server.probe

exits with 0 when the server of this configuration (``FERRYMAN_*``, and the file that
``FERRYMAN_CONFIG`` names) is SERVING, with 1 otherwise. Where the main port speaks TLS or asks for
keys, it asks the port for probes; where the server listens on all addresses, the loopback address.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ferryman_server.config import CONFIG_VARIABLE, load_config

TIMEOUT_SECONDS: Final = 3.0
_ANY: Final = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "::": "[::1]"}


def probe(address: str) -> str | None:
    """Ask for the health of a server.

    Args:
        address: Where it listens, as ``host:port``.

    Returns:
        What is wrong; None where it is SERVING.
    """
    host, _, port = address.rpartition(":")
    target = f"{_ANY.get(host, host)}:{port}"
    # A proxy from the environment has no business between a server and its own probe.
    with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)  # its methods are made at run time
        try:
            answer = health.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            return f"{target}: {error.code().name}"
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        return f"{target}: {health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}"
    return None


def main() -> int:
    """Probe the server of this machine."""
    config = load_config({}, os.environ.get(CONFIG_VARIABLE) or None)
    is_guarded = config.tls_certificate or config.keys_file
    fault = probe(config.probe_address if is_guarded else config.address)
    if fault is not None:
        print(fault, file=sys.stderr)  # noqa: T201
    return 0 if fault is None else 1


if __name__ == "__main__":
    sys.exit(main())
