"""A model without a network: letters for tokens, and an engine that a test holds in its hand."""

from __future__ import annotations

import asyncio
import datetime
import importlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from ferryman_bundle.manifest import Manifest
from ferryman_server.catalogue import Catalogue
from ferryman_server.description import Device, ServerDescription
from ferryman_server.engine import FinishReason, Hypothesis, Job, Result
from ferryman_server.fleet import Fleet
from ferryman_server.limits import ConnectionLimits, Limits
from ferryman_server.metrics import Metrics
from ferryman_server.model import Model
from ferryman_server.runtime.scored import Scored
from ferryman_server.security import Security
from ferryman_server.server import Server

TOKEN_LOG_PROB = -0.25


class LetterTokenizer:
    """One token for each code point."""

    def encode(self, text: str, *, reserved: bool = False) -> list[int]:
        return [ord(letter) for letter in text]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))

    def encode_with_spans(
        self, text: str, *, reserved: bool = False
    ) -> list[tuple[int, tuple[int, int]]]:
        return [(ord(letter), (place, place + 1)) for place, letter in enumerate(text)]

    def decode_with_spans(self, ids: Sequence[int]) -> list[tuple[int, int]]:
        return [(place, place + 1) for place in range(len(ids))]

    def piece(self, token: int) -> str:
        return chr(token)


class DiagonalScorer:
    """Finds every token as likely as any other; the t-th looks at the t-th of the source."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def score(self, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]):
        self.batches.append(len(sources))
        return [
            Scored(
                np.full(len(target) + 1, TOKEN_LOG_PROB, np.float32),
                np.eye(len(target) + 1, len(source) + 1, dtype=np.float32),
            )
            for source, target in zip(sources, targets, strict=True)
        ]


class HeldEngine:
    """Translates into upper case, when it is told to; until then its futures are pending."""

    def __init__(self) -> None:
        self.holds = False
        self.refusal: Exception | None = None
        self.failure: Exception | None = None
        self.callbacks: list[Callable[[BaseException], None]] = []
        self.jobs: list[Job] = []
        self.futures: list[Future[Result]] = []
        self.submissions = 0

    def submit(self, jobs: Sequence[Job]) -> list[Future[Result]]:
        if self.refusal is not None:
            raise self.refusal
        self.submissions += 1
        futures: list[Future[Result]] = [Future() for _ in jobs]
        self.jobs += jobs
        self.futures += futures
        if not self.holds:
            self.release()
        return futures

    def on_failure(self, callback: Callable[[BaseException], None]) -> None:
        self.callbacks.append(callback)

    def die(self, error: BaseException) -> None:
        """Fail for good."""
        for callback in self.callbacks:
            callback(error)

    def release(self) -> None:
        """Answer everything that waits."""
        for job, future in zip(self.jobs, self.futures, strict=True):
            if future.done():
                continue
            if self.failure is not None:
                future.set_exception(self.failure)
            else:
                result = upper_case(job)
                if job.listener is not None:
                    for token in result.hypotheses[0].ids:
                        job.listener((token,))
                future.set_result(result)


def upper_case(job: Job) -> Result:
    """The answer to a job: its i-th hypothesis has i exclamation marks, and no more than fit."""
    hypotheses = []
    for i in range(job.search.num_hypotheses):
        ids = [ord(letter) for letter in "".join(map(chr, job.source)).upper() + "!" * i]
        finished = len(ids) < job.search.max_tokens
        ids = ids[: job.search.max_tokens]
        log_probs = (TOKEN_LOG_PROB - i,) * (len(ids) + finished)
        hypotheses.append(
            Hypothesis(
                ids=tuple(ids),
                token_log_probs=log_probs,
                log_prob=sum(log_probs),
                score=sum(log_probs) / len(log_probs) ** job.search.length_penalty,
                finish_reason=FinishReason.EOS if finished else FinishReason.MAX_TOKENS,
            )
        )
    return Result(
        hypotheses=tuple(hypotheses), queue_seconds=0.5, decode_seconds=0.25, steps=len(ids)
    )


def make_manifest(
    name: str = "letters", pairs: Sequence[str] = ("en-fr",), **limits: int
) -> Manifest:
    """A sound manifest; the defaults are those of no other model, so that a mix-up shows."""
    file = {"size": 1, "sha256": "0" * 64}
    names = ("weights.safetensors", "tokenizer.model", "README.md", "LICENSE")
    return Manifest.model_validate(
        {
            "format": "ferryman-bundle",
            "format_version": 2,
            "name": name,
            "version": "1.2.3",
            "description": "Letters.",
            "licence": "Apache-2.0",
            "family": "transformer",
            "parameters": 1234,
            "language_pairs": [
                dict(
                    zip(("source", "target"), pair.split(">" if ">" in pair else "-"), strict=True)
                )
                for pair in pairs
            ],
            "tokens": {
                "pad": 0,
                "unknown": 1,
                "bos": 2,
                "eos": 3,
                "vocabulary_size": 0x110000,
                "never_generated": [0, 1, 2],
            },
            "limits": {"max_source_tokens": 60, "max_target_tokens": 80} | limits,
            "generation": {
                "beam_size": 3,
                "length_penalty": 0.7,
                "max_length_ratio": 2.0,
                "max_length_offset": 10,
            },
            "variants": {
                "fp32": {
                    "provider": "cpu",
                    "graphs": {
                        graph: {"file": f"{graph}.onnx", "initializers": {}}
                        for graph in ("encoder", "step")
                    },
                    "state": [],
                    "parity": None,
                    "quality": None,
                }
            },
            "weights": {},
            "files": dict.fromkeys((*names, "encoder.onnx", "step.onnx"), file),
            "golden": {},
            "environment": {},
        }
    )


def make_model(
    engine: HeldEngine, manifest: Manifest | None = None, scorer: DiagonalScorer | None = None
) -> Model:
    return Model(
        scorer=scorer,
        has_attention=scorer is not None,
        manifest=manifest or make_manifest(),
        digest="d" * 64,
        tokenizer=LetterTokenizer(),
        engine=engine,
    )


@pytest.fixture
def toy_runtime():
    """A model in NumPy for a real engine, on its own architecture."""
    folder = str(Path(__file__).parent / "engine")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module("toy_model").ToyRuntime()


@pytest.fixture
def engine() -> HeldEngine:
    return HeldEngine()


@pytest.fixture
def scorer() -> DiagonalScorer:
    return DiagonalScorer()


@pytest.fixture
def model(engine: HeldEngine, scorer: DiagonalScorer) -> Model:
    return make_model(engine, scorer=scorer)


@pytest.fixture
def manifest_for() -> Callable[..., Manifest]:
    return make_manifest


@pytest.fixture
def model_for() -> Callable[..., Model]:
    return make_model


Serving = Callable[..., AbstractAsyncContextManager[tuple[Server, grpc.aio.Channel]]]


@pytest.fixture
def serving(model: Model) -> Serving:
    """Serve the model on a free port, with a channel to it: ``async with serving() as (s, c)``."""

    @asynccontextmanager
    async def serve(
        *,
        address: str = "127.0.0.1:0",
        connections: ConnectionLimits | None = None,
        security: Security | None = None,
        models: Sequence[Model] | None = None,
        fleet: Fleet | None = None,
        **limits: int,
    ) -> AsyncIterator[tuple[Server, grpc.aio.Channel]]:
        metrics = Metrics()
        server = Server(
            Catalogue(models or [model]) if fleet is None else fleet.catalogue,
            fleet=fleet,
            admin_address=None if fleet is None else "127.0.0.1:0",
            address=address,
            description=ServerDescription(
                version="9.8.7",
                device=Device(
                    provider="CPUExecutionProvider",
                    runtime="onnxruntime",
                    runtime_version="1.31.1",
                    workers=2,
                    threads_per_worker=1,
                ),
                started=datetime.datetime(2026, 11, 21, 10, 0, tzinfo=datetime.UTC),
            ),
            limits=Limits(**limits),
            connections=connections or ConnectionLimits(),
            metrics=metrics,
            security=security or Security(),
        )
        async with server, grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            yield server, channel

    return serve


@pytest.fixture
def eventually() -> Callable[..., Awaitable[None]]:
    """Wait until a condition holds: ``await eventually(lambda: ...)``."""

    async def wait(condition: Callable[[], bool], *, seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.002)

    return wait


@pytest.fixture
def fails() -> Callable[..., Awaitable[dict[str, Message]]]:
    """Await a call that must fail with a code, and return the details of its status by type."""

    async def fail(call: Awaitable[object], code: grpc.StatusCode) -> dict[str, Message]:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is code, caught.value.details()
        status = rpc_status.from_call(caught.value)
        details: dict[str, Message] = {}
        for packed in status.details if status is not None else ():
            name = packed.TypeName().removeprefix("google.rpc.")
            details[name] = getattr(error_details_pb2, name)()
            packed.Unpack(details[name])
        return details

    return fail
