"""Callers from outside a container, and what became of each of their calls."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Protocol

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ferryman.v1.translation_service_pb2 import TranslateTextRequest
from ferryman.v1.translation_service_pb2_grpc import TranslationServiceStub


@dataclass
class Load:
    """Callers that call one after the other, until they are told to stop or the server is gone."""

    address: str
    texts: list[str]
    callers: int
    codes: dict[str, grpc.StatusCode] = field(default_factory=dict)
    """What each call ended with, by the name that it gave itself."""
    stopped: bool = False

    async def run(self) -> None:
        """Call."""
        async with grpc.aio.insecure_channel(self.address) as channel:
            stub = TranslationServiceStub(channel)
            await asyncio.gather(*(self._call(number, stub) for number in range(self.callers)))

    async def _call(self, caller: int, stub: TranslationServiceStub) -> None:
        turn = 0
        while not self.stopped:
            name = f"caller-{caller}-{turn}"
            turn += 1
            request = TranslateTextRequest(contents=self.texts, request_id=name)
            try:
                response = await stub.TranslateText(request, timeout=120)
            except grpc.aio.AioRpcError as error:
                self.codes[name] = error.code()
                if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                    return
                await asyncio.sleep(0.05)
                continue
            assert len(response.translations) == len(self.texts)
            self.codes[name] = grpc.StatusCode.OK

    def count(self, code: grpc.StatusCode) -> int:
        """Return how many calls ended with a code."""
        return sum(each is code for each in list(self.codes.values()))


class Logging(Protocol):
    """What can tell why it does not serve."""

    log: str


def wait_until_serving(address: str, server: Logging, seconds: float = 60) -> None:
    """Ask the health service from outside until it says SERVING."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        # A new channel each time: an old one would wait longer after each refusal.
        with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            try:
                answer = health.Check(health_pb2.HealthCheckRequest(), timeout=1.0)
            except grpc.RpcError:
                time.sleep(0.05)
                continue
        if answer.status == health_pb2.HealthCheckResponse.SERVING:
            return
    pytest.fail(f"not SERVING after {seconds} s:\n{server.log}")
