"""Where a client connects to, and how its channel behaves."""

from __future__ import annotations

import re

DEFAULT_ADDRESS = "127.0.0.1:50051"
"""Where `ferryman serve` listens unless it is told otherwise."""

_DEFAULT_PORT = DEFAULT_ADDRESS.rpartition(":")[2]
_GRPC_NAME = re.compile(r"(dns:///?|unix:|unix-abstract:|vsock:|ipv4:|ipv6:|xds:///)")
_LOOPBACK = re.compile(r"(localhost|127\.[0-9.]+|\[::1\]):[0-9]+")

ChannelOptions = list[tuple[str, str | int]]
"""Options as gRPC takes them."""


def target_of(address: str) -> str:
    """Return the gRPC target of an address.

    An address is ``host``, ``host:port`` or any name that gRPC knows, as ``unix:/run/ferryman`` or
    ``dns:///ferryman.example:50051``. gRPC would take port 443 where none is given.

    Raises:
        ValueError: It is no address.

    >>> target_of("gpu-box"), target_of("::1"), target_of("unix:/run/ferryman.sock")
    ('gpu-box:50051', '[::1]:50051', 'unix:/run/ferryman.sock')
    """
    if _GRPC_NAME.match(address):
        return address
    if "/" in address or not address.strip():
        raise ValueError(f"a server's address is host:port, as {DEFAULT_ADDRESS}, not {address!r}")
    if address.count(":") > 1 and not address.startswith("["):
        address = f"[{address}]"
    if ":" not in address or address.endswith("]"):
        return f"{address}:{_DEFAULT_PORT}"
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 2**16:
        raise ValueError(f"the port in {address!r} is no number from 1 to 65535")
    return address


def options_of(target: str) -> ChannelOptions:
    """Return the options of a channel to a target."""
    options: ChannelOptions = [
        ("grpc.primary_user_agent", "ferryman-python"),
        # A connection that died without a word is noticed after 80 s rather than never. Pings are
        # sent while a call waits only, and not so often that a server takes them for an attack.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        # A server that restarts is found again at the pace of our own retries.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        # n-best lists and attention exceed gRPC's 4 MiB; the server has limits of its own.
        ("grpc.max_receive_message_length", 64 * 2**20),
    ]
    if _LOOPBACK.fullmatch(target):
        options.append(("grpc.enable_http_proxy", 0))  # no proxy can reach our own loopback
    return options
