"""Several servers as one: the work is spread, no model is mixed with another."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from reversing import translation_of

from ferryman.errors import UnavailableError
from ferryman.files.errors import OtherModelError
from ferryman.files.servers import Servers, Way


class FakeClient:
    """One server; `down` calls in a row find nobody there."""

    def __init__(self, model="m@1", digest="d" * 64, down=0):
        self.model, self.digest, self.down = model, digest, down
        self.texts, self.asked = [], 0

    async def translate(self, texts, *, source, target, model, search):
        self.asked += 1
        await asyncio.sleep(0)
        if self.down:
            self.down -= 1
            raise UnavailableError("nobody there")
        if isinstance(texts, str):
            return translation_of(texts, model=self.model)
        assert model == self.model
        self.texts += texts
        return [translation_of(text, model=self.model) for text in texts]

    async def models(self):
        class Named(SimpleNamespace):
            def __str__(self):
                return self.name

        return [Named(name=self.model, digest=self.digest, variant="int8")]


def servers(*clients, **options):
    named = [(f"server-{number}", client) for number, client in enumerate(clients)]
    return Servers(named, Way(source="en", target="fr"), **options)


async def translate_many(pool, count=40):
    async def one(number):
        (translation,) = await pool.translate([f"text {number}"])
        assert translation.text == f"text {number}"[::-1]

    await asyncio.gather(*map(one, range(count)))


async def test_the_work_is_spread_over_all():
    clients = [FakeClient() for _ in range(4)]
    await translate_many(servers(*clients))

    assert [len(client.texts) for client in clients] == [10] * 4


async def test_what_a_server_was_given_that_ends_is_done_by_the_others():
    clients = [FakeClient(), FakeClient()]
    pool = servers(*clients)
    await translate_many(pool)
    clients[0].down = 10**9
    before = clients[0].asked
    await translate_many(pool)
    await translate_many(pool)

    assert len(clients[1].texts) >= 100
    assert clients[0].asked - before <= 20, "it is left alone for a while"


async def test_while_no_server_answers_calls_wait(monkeypatch):
    waited, sleep = [], asyncio.sleep

    async def sleep_at_once(seconds):
        waited.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", sleep_at_once)
    clients = [FakeClient(down=9), FakeClient(down=9)]
    await translate_many(servers(*clients))

    assert max(waited) <= 5


async def test_when_no_server_has_answered_for_long_the_call_fails():
    with pytest.raises(UnavailableError):
        await servers(FakeClient(down=10**9), patience=0.0).identify()


@pytest.mark.parametrize("other", [FakeClient(model="m@2"), FakeClient(digest="e" * 64)])
async def test_a_server_with_another_model_is_not_mixed_in(other):
    pool = servers(FakeClient(), other)

    with pytest.raises(OtherModelError, match="one output cannot have two models"):
        await translate_many(pool)
    assert other.texts == []


async def test_a_server_that_comes_back_with_another_model_is_not_mixed_in():
    client = FakeClient()
    pool = servers(client)
    await translate_many(pool)
    client.down, client.digest = 1, "e" * 64

    with pytest.raises(OtherModelError):
        await translate_many(pool)


async def test_what_the_server_chose_is_what_the_run_is_known_by():
    served = await servers(FakeClient()).identify()

    assert served.identity == {
        "model": "m@1",
        "digest": "d" * 64,
        "variant": "int8",
        "from": "en",
        "to": "fr",
    }
