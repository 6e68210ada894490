"""`ferryman bench`: what its loops do, what its figures say, and what it prints."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from concurrent import futures

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman.bench.figures import Latency, figures_of, percentile
from ferryman.bench.loops import Answer, Attempt, Level, run_loop
from ferryman.v1 import translation_service_pb2 as messages
from ferryman.v1.translation_service_pb2_grpc import (
    TranslationServiceServicer,
    add_TranslationServiceServicer_to_server,
)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=60), st.floats(0.01, 1))
def test_a_percentile_is_the_least_value_that_covers_its_share(values, share):
    ordered = sorted(values)
    value = percentile(ordered, share)
    assert sum(v <= value for v in values) >= share * len(values) - 1e-9
    assert sum(v < value for v in values) < share * len(values)


def test_no_times_have_no_percentiles():
    assert Latency.of([]) is None


def attempt(started: float, seconds: float, code="OK", tokens=10, first=None) -> Attempt:
    return Attempt(
        started=started, seconds=seconds, first_token_seconds=first, code=code, tokens=tokens
    )


def test_figures_count_answers_and_refusals_apart():
    level = Level(rate=4)
    attempts = [
        attempt(0, 1.0),
        attempt(1, 3.0, first=0.5),
        attempt(1, 0.01, code="RESOURCE_EXHAUSTED", tokens=0),
        attempt(2, 0.5, code="INTERNAL", tokens=0),
    ]
    found = figures_of(level, attempts, seconds=2.0)
    assert (found.calls, found.answered, found.refused) == (4, 2, 1)
    assert found.codes == {"INTERNAL": 1, "OK": 2, "RESOURCE_EXHAUSTED": 1}
    # The last answer came after 4 seconds, so that is how long two answers took.
    assert found.answers_per_second == pytest.approx(2 / 4)
    assert found.tokens_per_second == pytest.approx(20 / 4)
    assert (found.latency.p50, found.latency.p99) == (1.0, 3.0)
    assert found.first_token.p99 == 0.5
    assert found.refusal.p99 == 0.01


async def test_a_closed_loop_has_so_many_callers_and_no_more():
    at_once, most = 0, 0

    async def ask(text: str) -> Answer:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.002)
        at_once -= 1
        return Answer(code="OK", tokens=len(text))

    level = Level(concurrency=5)
    attempts = await run_loop(ask, ["a", "bb"], level, seconds=0.1, warm_up=0.05, seed=1)
    assert most == 5
    assert {a.tokens for a in attempts} == {1, 2}
    assert all(0 <= a.started < 0.1 for a in attempts)
    assert len(attempts) >= 10


async def test_an_open_loop_keeps_its_rate_and_counts_from_the_moment_that_was_meant():
    busy = asyncio.Lock()

    async def ask(text: str) -> Answer:
        async with busy:  # a server that does one thing at a time, slower than the calls come
            await asyncio.sleep(0.01)
        return Answer(code="OK")

    level = Level(rate=200)
    attempts = await run_loop(ask, ["a"], level, seconds=0.5, warm_up=0.0, seed=7)
    assert 60 <= len(attempts) <= 140
    late = sorted(attempts, key=lambda a: a.started)[-1]
    assert late.seconds > 0.2, "who came last waited for all the others"


class Fake(TranslationServiceServicer):
    """Answers every second call, and refuses the others."""

    def __init__(self) -> None:
        self.requests: list[messages.TranslateTextRequest] = []
        self.headers: list[dict[str, str]] = []

    def GetServerInfo(self, request, context):  # noqa: N802
        return messages.GetServerInfoResponse()

    def TranslateText(self, request, context):  # noqa: N802
        self.requests.append(request)
        self.headers.append(dict(context.invocation_metadata()))
        if len(self.requests) % 2:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")
        response = messages.TranslateTextResponse()
        response.usage.target_tokens = 7
        return response

    def StreamTranslateText(self, request, context):  # noqa: N802
        delta = messages.StreamTranslateTextResponse()
        delta.delta.SetInParent()
        yield delta
        yield messages.StreamTranslateTextResponse(
            result=self.TranslateText(request.request, context)
        )


@pytest.fixture
def fake():
    service = Fake()
    server = grpc.server(futures.ThreadPoolExecutor(8))
    add_TranslationServiceServicer_to_server(service, server)
    service.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield service
    server.stop(None).wait()


def bench(*arguments: str, **variables: str):
    return subprocess.run(
        [sys.executable, "-m", "ferryman", "bench", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": ":".join(sys.path), "COLUMNS": "160"}
        | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_verb_measures_every_level_and_draws_it(fake, tmp_path):
    pytest.importorskip("matplotlib")
    result = bench(
        *(
            "--server",
            fake.address,
            "--concurrency",
            "1,3",
            "--seconds",
            "0.3",
            "--warm-up",
            "0.05",
        ),
        *("--json", "--to", "fr", "--beam", "2", "--priority", "low", "--stream"),
        *("--plot", str(tmp_path / "bench.png")),
        FERRYMAN_KEY="ferryman_secret",
    )
    assert result.returncode == 0, result.stderr
    levels = json.loads(result.stdout)["levels"]
    assert [level["level"]["concurrency"] for level in levels] == [1, 3]
    for level in levels:
        assert level["answered"] > 0
        assert level["refused"] > 0
        assert level["calls"] == level["answered"] + level["refused"]
        assert level["first_token"]["p50"] <= level["latency"]["p50"]
        assert level["tokens_per_second"] == pytest.approx(7 * level["answers_per_second"])
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")
    request = fake.requests[0]
    assert (request.target_language_code, request.decoding.beam_size) == ("fr", 2)
    assert request.priority == 1
    assert fake.headers[0]["authorization"] == "Bearer ferryman_secret"
    assert "ferryman_secret" not in result.stdout + result.stderr


def test_the_verb_prints_a_table(fake):
    result = bench("--server", fake.address, "--rate", "40", "--seconds", "0.4", "--warm-up", "0")
    assert result.returncode == 0, result.stderr
    assert "40 calls/s" in result.stdout
    assert "refusal p99" in result.stdout


def test_no_server_is_told_in_one_line():
    result = bench("--server", "127.0.0.1:1", "--seconds", "0.1")
    assert result.returncode == 5
    assert "UNAVAILABLE" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--concurrency", "x"],
        ["--rate", "0"],
        ["--priority", "highest"],
        ["--server", "host:port:more/"],
        ["--ca", "ca.pem", "--client-key", "key.pem"],
    ],
)
def test_wrong_usage_is_told(arguments):
    result = bench(*arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_a_key_that_no_header_can_have_is_told():
    result = bench(FERRYMAN_KEY="two words")
    assert result.returncode == 2
    assert "two words" not in result.stderr
