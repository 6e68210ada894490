"""Whether the server can listen at an address, and if not, why not.

gRPC says only that it could not, and writes a line of its own about it.
"""

from __future__ import annotations

import socket

from ferryman_server.start_errors import AddressError


def check_address(address: str, *, option: str = "--address") -> None:
    """Listen at an address for a moment.

    Args:
        address: ``host:port``; the host of IPv6 in brackets.
        option: What sets it, for the message.

    Raises:
        AddressError: The operating system does not let us, with its reason.
    """
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
