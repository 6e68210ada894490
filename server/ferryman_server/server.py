"""The gRPC server: translation, health and reflection on one port."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from types import TracebackType
from typing import Final, Self

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from ferryman.v1 import admin_service_pb2_grpc, translation_service_pb2_grpc
from ferryman_server.address import check_address
from ferryman_server.admin_service import SERVICE as ADMIN
from ferryman_server.admin_service import AdminService
from ferryman_server.admission import Admission
from ferryman_server.call_log import CallLog
from ferryman_server.catalogue import Catalogue
from ferryman_server.description import ServerDescription
from ferryman_server.fleet import Fleet
from ferryman_server.judge import Judge
from ferryman_server.limits import ConnectionLimits, Limits
from ferryman_server.metrics import Metrics
from ferryman_server.scoring_queue import ScoringQueue
from ferryman_server.security import Security
from ferryman_server.service import TranslationService
from ferryman_server.start_errors import AddressError
from ferryman_server.tracing import NoTraces, Traces
from ferryman_server.translator import Translator
from ferryman_server.wire.authorization import KeyInterceptor
from ferryman_server.wire.interceptor import SERVICE, CallInterceptor

_REFLECTION: Final = ("grpc.reflection.v1.ServerReflection", reflection.SERVICE_NAME)
_MOST_ADMIN_CALLS: Final = 64
_QUIET_SECONDS: Final = 0.5
_FAREWELL_SECONDS: Final = 1.0
"""For the streams of health watchers and the last bytes of answers, once all calls are done."""


class Server:
    """A gRPC server around a catalogue of models.

    Use it as an asynchronous context manager, in the event loop it is to run in: it listens and is
    SERVING inside, and stops at once at the end unless `drain` came first.

    Args:
        catalogue: The models, their engines started.
        address: ``host:port``; port 0 takes a free one.
        description: What `GetServerInfo` tells.
        limits: What one request may be.
        connections: When connections are let go.
        metrics: Where calls are counted.
        traces: Where their spans go.
        security: What it asks of those who call.
        fleet: What loads and lets go of models; None where nothing changes.
        admin_address: Where the fleet is commanded from; None for nowhere.

    Raises:
        AddressError: On entering: the address is in use, or is none.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        address: str,
        description: ServerDescription,
        limits: Limits,
        connections: ConnectionLimits,
        metrics: Metrics,
        traces: Traces | None = None,
        security: Security = Security(),  # noqa: B008  # frozen
        fleet: Fleet | None = None,
        admin_address: str | None = None,
    ) -> None:
        self.metrics = metrics
        self._catalogue = catalogue
        self._address = address
        self._admission = Admission(limits.max_concurrent_calls)
        self._executor = ThreadPoolExecutor(max_workers=2, thread_name_prefix="text")
        self._health = health.aio.HealthServicer()
        self._health_names: set[str] = set()
        self._security = security
        log = CallLog(metrics, traces or NoTraces())
        doors = [KeyInterceptor(security.keys, log)] if security.keys else []
        options = _options(limits, connections)
        self._grpc = grpc.aio.server(
            interceptors=[*doors, CallInterceptor(self._admission, log)], options=options
        )
        self._scoring = ScoringQueue(limits.max_queued_tokens)
        translator = Translator(catalogue, limits, self._executor, self._scoring)
        judge = Judge(catalogue, limits, self._executor, self._scoring)
        self._probe = grpc.aio.server(options=options)
        translation_service_pb2_grpc.add_TranslationServiceServicer_to_server(
            TranslationService(translator, judge, catalogue, self._admission, limits, description),
            self._grpc,
        )
        for server in (self._grpc, self._probe):
            health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        _add_reflection(self._grpc, [SERVICE, health.SERVICE_NAME])
        self._fleet = fleet
        self._admin_address = admin_address
        self._admin = grpc.aio.server(
            interceptors=[*doors, CallInterceptor(Admission(_MOST_ADMIN_CALLS), log, ADMIN)],
            options=options,
        )
        if fleet is not None:
            admin = AdminService(fleet, translator, self.pause)
            admin_service_pb2_grpc.add_AdminServiceServicer_to_server(admin, self._admin)
            _add_reflection(self._admin, [ADMIN])
        self.port = 0
        """Where the server listens, once it does."""
        self.probe_port = 0
        """Where it tells its health in plain text, if anywhere."""
        self.admin_port = 0
        """Where the fleet is commanded from, if anywhere."""
        self._following: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        check_address(self._address)
        self.port = _listen(self._grpc, self._address, self._security.credentials)
        if self._security.probe_address is not None:
            self.probe_port = _listen(self._probe, self._security.probe_address, None)
        if self._admin_address is not None:
            self.admin_port = _listen(self._admin, self._admin_address, self._security.credentials)
        await self._tell_health()
        if self._fleet is not None:
            self._following = asyncio.ensure_future(self._follow(self._fleet))
        await self._admin.start()
        await self._probe.start()
        await self._grpc.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._grpc.stop(None)
        await self._probe.stop(None)
        await self._admin.stop(None)
        if self._following is not None:
            self._following.cancel()
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._scoring.close()

    async def drain(self, timeout: float) -> bool:
        """Finish what is under way and stop.

        Health says NOT_SERVING before anything else, so that those who route calls look elsewhere;
        then new calls are refused while the port is still open; the port closes last.

        Args:
            timeout: Seconds that calls have to finish; then they are cut off.

        Returns:
            Whether all of them finished.
        """
        finished, _ = await self.pause(timeout)
        # gRPC answers a call that comes just as it stops with CANCELLED, which reads as if its
        # sender had given up. Those who came late are told UNAVAILABLE before that.
        await self._admission.wait_until_quiet(_QUIET_SECONDS, timeout=_FAREWELL_SECONDS)
        await self._grpc.stop(_FAREWELL_SECONDS if finished else None)
        return finished

    async def pause(self, timeout: float) -> tuple[bool, int]:
        """Take no more calls, say so first, and wait for those under way.

        Args:
            timeout: Seconds to wait.

        Returns:
            Whether all of them finished, and how many did not.
        """
        await self._health.enter_graceful_shutdown()
        self._admission.close()
        finished = await self._admission.wait_until_empty(timeout)
        return finished, self._admission.under_way

    @property
    def admin_address(self) -> str | None:
        """Where the fleet is really commanded from, if anywhere."""
        address = self._admin_address
        return None if address is None else _with_port(address, self.admin_port)

    @property
    def bound_address(self) -> str:
        """Where it really listens, should its address leave the port open."""
        return _with_port(self._address, self.port)

    @property
    def probe_address(self) -> str | None:
        """Where it really tells its health in plain text, if anywhere."""
        address = self._security.probe_address
        return None if address is None else _with_port(address, self.probe_port)

    @property
    def calls_under_way(self) -> int:
        """Calls of the translation service that have no answer yet."""
        return self._admission.under_way

    async def _follow(self, fleet: Fleet) -> None:
        """Tell of the health of models that come and go."""
        async with aclosing(fleet.watch()) as moments:
            async for _ in moments:
                await self._tell_health()

    async def _tell_health(self) -> None:
        """Bring health up to date with the models there are."""
        models = self._catalogue.models
        names = {"", SERVICE, *(f"model/{model.full_name}" for model in models)}
        names |= {f"model/{model.manifest.name}" for model in models}
        for name in self._health_names - names:
            await self._health.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)
        for name in names - self._health_names:
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._health_names = names


def _with_port(address: str, port: int) -> str:
    return f"{address.rpartition(':')[0]}:{port}"


def _listen(
    server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None
) -> int:
    """Bind a server to an address, and return the port.

    Raises:
        AddressError: Somebody took it in this very moment.
    """
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise AddressError(f"cannot listen on {address}: {error}") from error


def _options(limits: Limits, connections: ConnectionLimits) -> Sequence[tuple[str, int]]:
    def milliseconds(seconds: float) -> int:
        return round(seconds * 1000)

    age = connections.max_connection_age_seconds
    return (
        *((("grpc.max_connection_age_ms", milliseconds(age)),) if age else ()),
        ("grpc.max_receive_message_length", limits.max_request_bytes),
        ("grpc.max_send_message_length", limits.max_response_bytes),
        ("grpc.max_concurrent_streams", connections.max_streams),
        ("grpc.server_handshake_timeout_ms", milliseconds(connections.handshake_seconds)),
        ("grpc.max_connection_idle_ms", milliseconds(connections.idle_seconds)),
        ("grpc.keepalive_time_ms", milliseconds(connections.keepalive_seconds)),
        ("grpc.keepalive_timeout_ms", milliseconds(connections.keepalive_timeout_seconds)),
        ("grpc.keepalive_permit_without_calls", 1),
        (
            "grpc.http2.min_recv_ping_interval_without_data_ms",
            milliseconds(connections.min_client_ping_seconds),
        ),
        # Two servers on one port would share its calls between them without a word.
        ("grpc.so_reuseport", 0),
    )


def _add_reflection(server: grpc.aio.Server, services: Sequence[str]) -> None:
    """Answer reflection under v1 and v1alpha: the messages of the two are the same to the byte."""
    servicer = reflection.aio.ReflectionServicer([*services, *_REFLECTION])
    method = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    handlers = {"ServerReflectionInfo": method}
    server.add_generic_rpc_handlers(
        tuple(grpc.method_handlers_generic_handler(name, handlers) for name in _REFLECTION)
    )
