"""The probe of a container's health check."""

from __future__ import annotations

import asyncio
import socket

from ferryman_server import probe


async def test_a_serving_server_is_healthy_wherever_it_listens(serving):
    async with serving() as (server, _):
        for host in ("127.0.0.1", "0.0.0.0", "localhost"):
            assert await asyncio.to_thread(probe.probe, f"{host}:{server.port}") is None


async def test_a_draining_server_is_not(serving, engine):
    async with serving() as (server, _):
        await server._health.enter_graceful_shutdown()
        fault = await asyncio.to_thread(probe.probe, f"127.0.0.1:{server.port}")
        assert fault is not None
        assert "NOT_SERVING" in fault


async def test_the_address_is_the_servers_own(serving, monkeypatch, capsys):
    async with serving() as (server, _):
        monkeypatch.setenv("FERRYMAN_ADDRESS", f"127.0.0.1:{server.port}")
        assert await asyncio.to_thread(probe.main) == 0
    assert capsys.readouterr().err == ""


def test_no_server_is_told_in_one_line(monkeypatch, capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("FERRYMAN_ADDRESS", f"127.0.0.1:{port}")
    assert probe.main() == 1
    error = capsys.readouterr().err
    assert error == f"127.0.0.1:{port}: UNAVAILABLE\n"


async def test_all_addresses_of_ipv6_are_asked_at_the_loopback_one(monkeypatch):
    fault = await asyncio.to_thread(probe.probe, "[::]:7")
    assert fault is not None
    assert fault.startswith("[::1]:7: ")
