"""The HTTP endpoint that Prometheus asks, on a port and in threads of its own.

So it answers whatever the event loop of the server is doing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import start_http_server

from ferryman_server.address import free_address
from ferryman_server.config_sections import ServerConfig
from ferryman_server.metrics import Metrics


@contextmanager
def metrics_endpoint(metrics: Metrics, config: ServerConfig) -> Iterator[str | None]:
    """Publish metrics at ``http://ADDRESS/metrics`` while open.

    Args:
        metrics: What to publish.
        config: Says where.

    Yields:
        The address really taken; None where the configuration says none.

    Raises:
        AddressError: The address that was asked for is in use, or is none.
    """
    if config.metrics_address == "none":
        yield None
        return
    host, _, port = free_address(config, "metrics_address").rpartition(":")
    server, thread = start_http_server(int(port), host.strip("[]"), metrics.registry)
    try:
        yield f"{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
