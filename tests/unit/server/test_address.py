"""Whether the server can listen at an address."""

from __future__ import annotations

import socket

import pytest

from ferryman_server.address import check_address
from ferryman_server.start_errors import AddressError


def test_a_free_port_may_be_had_and_stays_free():
    check_address("127.0.0.1:0")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    check_address(f"127.0.0.1:{port}")
    check_address(f"127.0.0.1:{port}")


def test_a_port_in_use_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(AddressError, match=f"{address}: Address already in use"):
            check_address(address)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("192.0.2.1:50051", "Cannot assign requested address"),
        ("no-such-host.invalid:50051", ""),
    ],
)
def test_an_address_of_nobody_is_told(address, reason):
    with pytest.raises(AddressError, match=f"cannot listen on {address}.*{reason}"):
        check_address(address)
