"""Where a client connects to, and how its channel behaves."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import grpc

DEFAULT_ADDRESS = "127.0.0.1:50051"
"""Where `ferryman serve` listens unless it is told otherwise."""

_DEFAULT_PORT = DEFAULT_ADDRESS.rpartition(":")[2]
_GRPC_NAME = re.compile(r"(dns:///?|unix:|unix-abstract:|vsock:|ipv4:|ipv6:|xds:///)")
_LOOPBACK = re.compile(r"(localhost|127\.[0-9.]+|\[::1\]):[0-9]+")

_BY_NUMBER = re.compile(r"\d+(\.\d+){3}:\d+")
_BY_NUMBER_6 = re.compile(r"\[[0-9a-fA-F:]+\]:\d+")
_ONE_PLACE = re.compile(r"unix|vsock:|localhost:|\d+(\.\d+){3}:\d+$|\[[0-9a-fA-F:]+\]:\d+$")
_BALANCED = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": ""},  # one that drains is left out before it refuses
}

ChannelOptions = list[tuple[str, str | int]]
"""Options as gRPC takes them."""


def target_of(address: str) -> str:
    """Return the gRPC target of an address.

    An address is ``host``, ``host:port``, several of them by number and with commas between, or any
    name that gRPC knows, as ``unix:/run/ferryman`` or ``dns:///ferryman.example:50051``. gRPC would
    take port 443 where none is given.

    Raises:
        ValueError: It is no address.

    >>> target_of("gpu-box"), target_of("::1"), target_of("unix:/run/ferryman.sock")
    ('gpu-box:50051', '[::1]:50051', 'unix:/run/ferryman.sock')
    >>> target_of("10.0.0.1,10.0.0.2:50052")
    'ipv4:10.0.0.1:50051,10.0.0.2:50052'
    """
    if _GRPC_NAME.match(address):
        return address
    if "," in address:
        return _several(address.split(","))
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


def _several(addresses: list[str]) -> str:
    targets = [target_of(address.strip()) for address in addresses]
    for kind, pattern in (("ipv4", _BY_NUMBER), ("ipv6", _BY_NUMBER_6)):
        if all(pattern.fullmatch(target) for target in targets):
            return f"{kind}:{','.join(targets)}"
    raise ValueError(
        f"several servers are given by number, as 10.0.0.1:50051,10.0.0.2:50051, not as "
        f"{','.join(addresses)}; for names there is dns:///name, which may have many addresses"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How to speak TLS.

    >>> Tls(ca="ca.pem")  # a server whose certificate is signed by that authority
    Tls(ca='ca.pem', certificate=None, key=None, server_name=None)
    """

    ca: str | Path | None = None
    """File with the certificates, PEM, of who may sign the server's; None: those that gRPC has."""
    certificate: str | Path | None = None
    """File with this client's own certificate chain, PEM, where the server asks for one."""
    key: str | Path | None = None
    """File with its private key, PEM."""
    server_name: str | None = None
    """Name in the server's certificate, where it is not the one in the address."""

    def __post_init__(self) -> None:
        """Check that a certificate and its key come together."""
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a client's certificate and its key come together: give both, or none")

    def credentials(self) -> grpc.ChannelCredentials:
        """Return the same for gRPC.

        Raises:
            OSError: A file cannot be read.
        """
        import grpc

        read = [
            None if path is None else Path(path).read_bytes()
            for path in (self.ca, self.key, self.certificate)
        ]
        return grpc.ssl_channel_credentials(*read)


def metadata_of(api_key: str | None) -> tuple[tuple[str, str], ...]:
    """Return the headers of every call.

    Raises:
        ValueError: The key cannot be in a header.
    """
    if api_key is None:
        return ()
    if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise ValueError("an API key has visible ASCII characters only: is the right one given?")
    return (("authorization", f"Bearer {api_key}"),)


def options_of(target: str, tls: Tls | None = None) -> ChannelOptions:
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
    if not _ONE_PLACE.match(target):
        # A name may stand for many servers: use all that are well, rather than the first for ever.
        options.append(("grpc.service_config", json.dumps(_BALANCED)))
    if tls is not None and tls.server_name is not None:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    if _LOOPBACK.fullmatch(target):
        options.append(("grpc.enable_http_proxy", 0))  # no proxy can reach our own loopback
    return options
