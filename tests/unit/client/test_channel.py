"""Addresses as people write them become what gRPC takes."""

from __future__ import annotations

import pytest

from ferryman.channel import options_of, target_of


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("127.0.0.1:50051", "127.0.0.1:50051"),
        ("gpu-box", "gpu-box:50051"),
        ("gpu-box:1", "gpu-box:1"),
        ("::1", "[::1]:50051"),
        ("[::1]", "[::1]:50051"),
        ("[::1]:7", "[::1]:7"),
        ("unix:/run/ferryman.sock", "unix:/run/ferryman.sock"),
        ("dns:///ferryman.example:443", "dns:///ferryman.example:443"),
        ("ipv4:10.0.0.1:1,10.0.0.2:1", "ipv4:10.0.0.1:1,10.0.0.2:1"),
    ],
)
def test_an_address_becomes_a_target(address, target):
    assert target_of(address) == target


@pytest.mark.parametrize(
    "address", ["", " ", "http://host:1", "host:", ":1", "host:port", "host:0", "host:65536"]
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ValueError, match=r"host:port|port in"):
        target_of(address)


@pytest.mark.parametrize(
    ("target", "proxied"),
    [
        ("127.0.0.1:50051", False),
        ("localhost:50051", False),
        ("[::1]:50051", False),
        ("localhost.example:50051", True),
        ("10.0.0.1:50051", True),
    ],
)
def test_no_proxy_stands_before_the_own_machine(target, proxied):
    assert (("grpc.enable_http_proxy", 0) not in options_of(target)) == proxied


def test_a_proxy_of_the_environment_does_not_stand_before_the_own_machine(
    monkeypatch, connect, address
):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    with connect(address) as client:
        assert client.translate("abc").text == "cba"
