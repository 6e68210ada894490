"""The HTTP endpoint that Prometheus asks, on a port and in threads of its own.

So it answers whatever the event loop of the server is doing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import start_http_server

from ferryman_server.address import check_address
from ferryman_server.config_sections import ServerConfig
from ferryman_server.metrics import Metrics
from ferryman_server.start_errors import AddressError

_log = logging.getLogger("ferryman.server")


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
    host, _, port = _free_address(config).rpartition(":")
    server, thread = start_http_server(int(port), host.strip("[]"), metrics.registry)
    try:
        yield f"{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _free_address(config: ServerConfig) -> str:
    """Return the address to take: the one asked for, or where nobody asked, one that is free."""
    address = config.metrics_address
    try:
        check_address(address, option="--metrics-address")
    except AddressError as error:
        if "metrics_address" in config.model_fields_set:
            raise
        _log.warning("the metrics are on another port: %s", error)
        return f"{address.rpartition(':')[0]}:0"
    return address
