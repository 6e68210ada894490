"""The gRPC server: translation, health and reflection on one port."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Final, Self

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from ferryman.v1 import translation_service_pb2_grpc
from ferryman_server.address import check_address
from ferryman_server.admission import Admission
from ferryman_server.call_log import CallLog
from ferryman_server.catalogue import Catalogue
from ferryman_server.description import ServerDescription
from ferryman_server.judge import Judge
from ferryman_server.limits import ConnectionLimits, Limits
from ferryman_server.metrics import Metrics
from ferryman_server.scoring_queue import ScoringQueue
from ferryman_server.service import TranslationService
from ferryman_server.start_errors import AddressError
from ferryman_server.tracing import NoTraces, Traces
from ferryman_server.translator import Translator
from ferryman_server.wire.interceptor import SERVICE, CallInterceptor

_REFLECTION: Final = ("grpc.reflection.v1.ServerReflection", reflection.SERVICE_NAME)
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
    ) -> None:
        self.metrics = metrics
        self._catalogue = catalogue
        self._address = address
        self._admission = Admission(limits.max_concurrent_calls)
        self._executor = ThreadPoolExecutor(max_workers=2, thread_name_prefix="text")
        self._health = health.aio.HealthServicer()
        self._grpc = grpc.aio.server(
            interceptors=[CallInterceptor(self._admission, CallLog(metrics, traces or NoTraces()))],
            options=_options(limits, connections),
        )
        self._scoring = ScoringQueue(limits.max_queued_tokens)
        translator = Translator(catalogue, limits, self._executor, self._scoring)
        judge = Judge(catalogue, limits, self._executor, self._scoring)
        translation_service_pb2_grpc.add_TranslationServiceServicer_to_server(
            TranslationService(translator, judge, catalogue, self._admission, limits, description),
            self._grpc,
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        _add_reflection(self._grpc, [SERVICE, health.SERVICE_NAME])
        self.port = 0
        """Where the server listens, once it does."""

    async def __aenter__(self) -> Self:
        check_address(self._address)
        try:
            self.port = self._grpc.add_insecure_port(self._address)
        except RuntimeError as error:  # somebody took it in this very moment
            raise AddressError(f"cannot listen on {self._address}: {error}") from error
        for name in self._health_names():
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        await self._grpc.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._grpc.stop(None)
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
        await self._health.enter_graceful_shutdown()
        self._admission.close()
        finished = await self._admission.wait_until_empty(timeout)
        # gRPC answers a call that comes just as it stops with CANCELLED, which reads as if its
        # sender had given up. Those who came late are told UNAVAILABLE before that.
        await self._admission.wait_until_quiet(_QUIET_SECONDS, timeout=_FAREWELL_SECONDS)
        await self._grpc.stop(_FAREWELL_SECONDS if finished else None)
        return finished

    @property
    def bound_address(self) -> str:
        """Where it really listens, should its address leave the port open."""
        return f"{self._address.rpartition(':')[0]}:{self.port}"

    @property
    def calls_under_way(self) -> int:
        """Calls of the translation service that have no answer yet."""
        return self._admission.under_way

    def _health_names(self) -> list[str]:
        return ["", SERVICE, *(model.health_name for model in self._catalogue.models)]


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
