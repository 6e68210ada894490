"""A server on the loopback whose answers a test scripts, and both clients behind one face."""

# The names of the methods are the contract's.
# ruff: noqa: N802

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
import tomllib
from collections import deque
from concurrent import futures
from contextlib import ExitStack, aclosing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import code_pb2, status_pb2
from grpc_health.v1 import health, health_pb2_grpc
from grpc_status import rpc_status

from ferryman import AsyncClient, Client, Retry
from ferryman.v1 import model_pb2, translation_pb2, translation_service_pb2
from ferryman.v1.translation_service_pb2_grpc import (
    TranslationServiceServicer,
    add_TranslationServiceServicer_to_server,
)

ROOT = Path(__file__).parents[3]


class ScriptedService(TranslationServiceServicer):
    """Translates by turning texts round, after the answers that a test puts before.

    `requests` and `times` hold what came; `received` and `cancelled` count it, for tests that wait.
    A request with a text of `held` is not answered until the caller gives up.
    """

    def __init__(self):
        self.requests = []
        self.times = []
        self.received = threading.Semaphore(0)
        self.cancelled = threading.Semaphore(0)
        self.limits = model_pb2.Limits(max_contents=1024, max_request_bytes=1 << 20)
        self.held = set()
        self.lacks_info = False
        self.headers = []
        self.held_at = None
        self._script = deque()
        self._failing = {}
        self._lock = threading.Lock()

    def fail(self, code, message="refused", *details, times=1):
        """Answer the next calls with a status and the messages of its details."""
        status = status_of(code, message, *details)
        self._script.extend(
            [lambda _, context: context.abort_with_status(rpc_status.to_status(status))] * times
        )

    def fail_one_text(self, index, code, message, *details):
        """Answer the next call with one text failed among the others."""

        def answer(request, _):
            response = response_to(request)
            response.translations[index].Clear()
            response.translations[index].error.CopyFrom(status_of(code, message, *details))
            return response

        self._script.append(answer)

    def fail_request_with(self, text, code, message, *details):
        """Answer the request that has this text with a status, whichever it is."""
        self._failing[text] = status_of(code, message, *details)

    def abort(self, code, message, *trailers):
        """Answer the next call as gRPC itself would: a bare code, and any trailers."""

        def answer(_, context):
            context.set_trailing_metadata(trailers)
            context.abort(code, message)

        self._script.append(answer)

    def answer(self, change):
        """Answer the next call with the usual response, changed."""

        def answer(request, _):
            response = response_to(request)
            change(response)
            return response

        self._script.append(answer)

    def TranslateText(self, request, context):
        with self._lock:
            self.requests.append(request)
            self.times.append(time.monotonic())
            answer = self._script.popleft() if self._script else None
        self.received.release()
        if self.held.intersection(request.contents):
            self._wait_until_given_up(context)
        for text in self._failing.keys() & set(request.contents):
            context.abort_with_status(rpc_status.to_status(self._failing[text]))
        return answer(request, context) if answer else response_to(request)

    def StreamTranslateText(self, request, context):
        response = self.TranslateText(request.request, context)
        self.headers.append(dict(context.invocation_metadata()))
        text = response.translations[0].hypotheses[0].translated_text
        complete = []
        context.add_callback(lambda: complete or self.cancelled.release())
        for index in range(0, len(text), 2):
            yield translation_service_pb2.StreamTranslateTextResponse(
                delta=translation_pb2.TranslationDelta(text=text[index : index + 2])
            )
            if text[index] == self.held_at:
                self._wait_until_given_up(context)
        complete.append(True)
        yield translation_service_pb2.StreamTranslateTextResponse(result=response)

    def ScoreText(self, request, context):
        self.requests.append(request)
        scores = [
            translation_pb2.TranslationScore(
                score=-len(pair.target_text), log_prob=-2.0, token_count=3
            )
            for pair in request.pairs
        ]
        if request.output.tokens:
            scores[0].target_tokens.add(piece="a", id=7, log_prob=-1.0)
        return translation_service_pb2.ScoreTextResponse(scores=scores, model="reversal@1.0.0")

    def TokenizeText(self, request, context):
        self.requests.append(request)
        texts = []
        for text in request.contents:
            tokens = [
                translation_pb2.Token(
                    piece=letter, id=ord(letter), span=translation_pb2.Span(start=n, end=n + 1)
                )
                for n, letter in enumerate(text)
            ]
            texts.append(translation_pb2.TokenizedText(tokens=tokens))
        return translation_service_pb2.TokenizeTextResponse(texts=texts, model="reversal@1.0.0")

    def _wait_until_given_up(self, context):
        given_up = threading.Event()
        if context.add_callback(given_up.set):
            given_up.wait(30)
        self.cancelled.release()
        context.abort(grpc.StatusCode.CANCELLED, "given up")

    def GetServerInfo(self, request, context):
        if self.lacks_info:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
        response = translation_service_pb2.GetServerInfoResponse(
            version="0.1.0",
            limits=self.limits,
            default_model="reversal@1.0.0",
            features=["output.tokens"],
            device=model_pb2.Device(provider="CPUExecutionProvider", workers=2),
        )
        response.start_time.FromSeconds(1_000_000)
        return response

    def ListModels(self, request, context):
        models = [model_pb2.Model(name=f"m{number}", version="1.0.0") for number in range(5)]
        models[0].is_default = True
        models[1].quality.bleu = 31.5
        return translation_service_pb2.ListModelsResponse(**paged(models, request, "models"))

    def ListLanguagePairs(self, request, context):
        pairs = [
            model_pb2.LanguagePair(source_language_code="en", target_language_code=target)
            for target in ("de", "fr", "ro")
        ]
        if request.model:
            pairs = pairs[1:2]
        return translation_service_pb2.ListLanguagePairsResponse(
            **paged(pairs, request, "language_pairs")
        )


def paged(items, request, name):
    """Return one page of two items, as the fields of a response."""
    begin = int(request.page_token or 0)
    more = begin + 2 < len(items)
    return {name: items[begin : begin + 2], "next_page_token": str(begin + 2) if more else ""}


def response_to(request):
    """Return the usual response of the service."""
    return translation_service_pb2.TranslateTextResponse(
        translations=[translation_of(text) for text in request.contents],
        model="reversal@1.0.0",
        source_language_code=request.source_language_code or "en",
        target_language_code=request.target_language_code or "fr",
        request_id="call-1",
    )


def translation_of(text):
    """Return the translation of a text by this service: itself, backwards."""
    hypothesis = translation_pb2.Hypothesis(
        translated_text=text[::-1] if text.strip() else text,
        score=-0.5,
        log_prob=-1.5,
        token_count=3,
        finish_reason=translation_pb2.FINISH_REASON_EOS,
    )
    return translation_pb2.Translation(hypotheses=[hypothesis])


def status_of(code, message, *details):
    """Return a status with details, as a server sends it."""
    packed = []
    for detail in details:
        packed.append(any_pb2.Any())
        packed[-1].Pack(detail)
    return status_pb2.Status(code=code_pb2.Code.Value(code), message=message, details=packed)


class BlockingAsyncClient:
    """An `AsyncClient` that is called like a `Client`, so that one test body tests both."""

    def __init__(self, *arguments, **options):
        self._runner = asyncio.Runner()

        async def make():
            return AsyncClient(*arguments, **options)

        try:
            self._client = self._runner.run(make())
        except BaseException:
            self._runner.close()
            raise

    def __getattr__(self, name):
        method = getattr(self._client, name)
        return lambda *arguments, **options: self._runner.run(method(*arguments, **options))

    def translate_each(self, texts, /, *, take=None, before_leaving=None, **options):
        translations = self._client.translate_each(texts, **options)

        async def collect():
            collected = []
            async with aclosing(translations):
                async for translation in translations:
                    collected.append(translation)
                    if len(collected) == take:
                        break
                if before_leaving:
                    before_leaving()
            return collected

        return self._runner.run(collect())

    def stream(self, text, /, *, take=None, **options):
        async def read():
            pieces = []
            async with self._client.stream(text, **options) as stream:
                async for piece in stream:
                    pieces.append(piece)
                    if len(pieces) == take:
                        return pieces, None
            return pieces, stream.translation

        return self._runner.run(read())

    def close(self):
        self._runner.run(self._client.close())
        self._runner.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class TakingClient(Client):
    """A `Client` whose ``translate_each`` can be left early, as that of the class above."""

    def translate_each(self, texts, /, *, take=None, before_leaving=None, **options):
        collected = []
        translations = super().translate_each(texts, **options)
        for translation in translations:
            collected.append(translation)
            if len(collected) == take:
                break
        if before_leaving:
            before_leaving()
        translations.close()
        return collected

    def stream(self, text, /, *, take=None, **options):
        pieces = []
        with super().stream(text, **options) as stream:
            for piece in stream:
                pieces.append(piece)
                if len(pieces) == take:
                    return pieces, None
        return pieces, stream.translation


@contextmanager
def serving(service, address="127.0.0.1:0"):
    """Serve on the loopback while the block runs; yields the address."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    add_TranslationServiceServicer_to_server(service, server)
    port = server.add_insecure_port(address)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


@pytest.fixture
def service():
    return ScriptedService()


@pytest.fixture
def address(service):
    with serving(service) as address:
        yield address


@contextmanager
def health_serving(credentials=None, address="127.0.0.1:0"):
    """A server that tells its health."""
    server = grpc.server(futures.ThreadPoolExecutor(4))
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    if credentials is None:
        port = server.add_insecure_port(address)
    else:
        port = server.add_secure_port(address, credentials)
    server.start()
    try:
        yield servicer, f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


@pytest.fixture(name="health_serving")
def health_serving_fixture():
    """`health_serving`, which serves for a part of a test only."""
    return health_serving


@pytest.fixture(name="serving")
def serving_fixture():
    """`serving`, for tests that serve for a part of their time only."""
    return serving


@pytest.fixture
def services():
    return ScriptedService(), ScriptedService()


@pytest.fixture(params=[TakingClient, BlockingAsyncClient], ids=["Client", "AsyncClient"])
def connect(request):
    """What makes a client: either of the two, behind one face."""
    return request.param


@pytest.fixture
def client(connect, address):
    with connect(address, timeout=20.0) as client:
        yield client


@pytest.fixture
def impatient_client(connect, address):
    """A client that repeats nothing of its own accord."""
    with connect(address, timeout=20.0, retry=Retry(max_attempts=1)) as client:
        yield client


@pytest.fixture
def nowhere():
    """An address where nobody listens, and that nobody else can take."""
    with socket.socket() as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture
def serve_at(service):
    """What starts a server at an address, until the end of the test."""
    with ExitStack() as servers:
        yield lambda address: servers.enter_context(serving(service, address))


@pytest.fixture(scope="module")
def shared_client():
    """One client and its service, for properties that try many examples."""
    service = ScriptedService()
    with serving(service) as address, Client(address, timeout=20.0) as client:
        yield client, service


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """A folder that, on the module path, makes the verbs of pyproject.toml installed ones.

    It also holds the verbs of a package that the tests make up.
    """
    root = tmp_path_factory.mktemp("site-packages")
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    _install(root, "ferryman", **groups)
    _install(
        root,
        "made-up",
        **{
            "ferryman.commands": {
                "greet": "made_up:app",
                "needs-extra": "made_up_extra:app [training,export]",
                "needs-late": "made_up:late [training]",
                "needs-module": "made_up_extra:app",
                "needs-itself": "made_up.missing:app [training]",
            }
        },
    )
    (root / "made_up.py").write_text(MADE_UP_VERBS)
    (root / "made_up_extra.py").write_text("import a_library_that_nobody_has\n")
    return root


MADE_UP_VERBS = '''
import enum, sys, time
import typer

app = typer.Typer()
late = typer.Typer()


class ExpectedError(Exception):
    exit_code = 4


class How(enum.StrEnum):
    WELL = "well"
    EXPECTED = "expected"
    DISK = "disk"
    DEFECT = "defect"
    EXIT = "exit"
    MANY = "many"
    SLEEP = "sleep"


@app.command()
def greet(how: How = How.WELL):
    """Greet."""
    print("hello", flush=True)
    if how is How.EXPECTED:
        raise ExpectedError("the model is out of order: mend it")
    if how is How.DISK:
        raise OSError(28, "No space left on device", "/full")
    if how is How.DEFECT:
        raise KeyError("a defect")
    if how is How.EXIT:
        raise typer.Exit(6)
    if how is How.MANY:
        for _ in range(100_000):
            print("hello")
    if how is How.SLEEP:
        time.sleep(60)


@late.command()
def needs_late():
    """Import late."""
    import a_library_that_nobody_has
'''


def _install(root, name, **groups):
    folder = root / f"{name.replace('-', '_')}-0.1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
    lines = []
    for group, points in groups.items():
        lines += [f"[{group}]\n", *(f"{point} = {target}\n" for point, target in points.items())]
    (folder / "entry_points.txt").write_text("".join(lines))


@pytest.fixture
def command(installed):
    """What runs the command in a process of its own, as a shell does; `stdin` is bytes."""
    path = os.pathsep.join([str(installed), str(ROOT / "client"), os.environ.get("PYTHONPATH", "")])

    @contextmanager
    def start(*arguments, **environment):
        with subprocess.Popen(
            [sys.executable, "-m", "ferryman", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, "COLUMNS": "100", **environment},
        ) as process:
            try:
                yield process
            finally:
                process.kill()  # a test that failed must not wait for a process that waits for it

    def run(*arguments, stdin=b"", **environment):
        with start(*arguments, **environment) as process:
            stdout, stderr = process.communicate(stdin, timeout=60)
        assert b"Traceback" not in stderr or b"a defect" in stderr, stderr.decode()
        return SimpleNamespace(
            code=process.returncode, stdout=stdout.decode(), stderr=stderr.decode()
        )

    run.start = start
    return run
