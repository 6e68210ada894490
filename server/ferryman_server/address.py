"""Whether the server can listen at an address, and if not, why not.

gRPC says only that it could not, and writes a line of its own about it.
"""

from __future__ import annotations

import logging
import socket

from ferryman_server.config_sections import ServerConfig
from ferryman_server.start_errors import AddressError

_log = logging.getLogger("ferryman.server")


def free_address(config: ServerConfig, field: str) -> str:
    """Return the address of a field: the one asked for, or where nobody asked, one that is free.

    Two servers on one machine with nothing but other main ports are no fault.

    Args:
        config: Of the server.
        field: As ``metrics_address``.

    Raises:
        AddressError: The one asked for cannot be taken.
    """
    address: str = getattr(config, field)
    option = f"--{field.replace('_', '-')}"
    try:
        check_address(address, option=option)
    except AddressError as error:
        if field in config.model_fields_set:
            raise
        _log.warning("another port is taken than usual: %s", error)
        return f"{address.rpartition(':')[0]}:0"
    return address


def check_address(address: str, *, option: str = "--address") -> None:
    """Listen at an address for a moment.

    Args:
        address: ``host:port``, the host of IPv6 in brackets; or ``unix:path``, which gRPC itself
            checks.
        option: What sets it, for the message.

    Raises:
        AddressError: The operating system does not let us, with its reason.
    """
    if address.startswith("unix:"):
        return
    host, _, port = address.rpartition(":")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
            probe.listen()
    except OSError as error:
        raise AddressError(
            f"cannot listen on {address}: {error.strerror}; choose another with {option}"
        ) from error
