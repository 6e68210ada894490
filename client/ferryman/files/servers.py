"""Servers: several of them as one that translates, all with the same model."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ferryman.async_client import AsyncClient
from ferryman.errors import UnavailableError
from ferryman.files.errors import OtherModelError
from ferryman.results import Translation
from ferryman.search import Search

_log = logging.getLogger("ferryman")

_REST_SECONDS = 5.0
"""How long a server that did not answer is left alone, where another one can be asked."""
_LONGEST_WAIT = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How to translate: what every call of a run says."""

    source: str = ""
    target: str = ""
    model: str = ""
    search: Search | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """The model that a server translates with, as exactly as it tells."""

    model: str
    """``name@version``."""
    digest: str
    """SHA-256 of its manifest; empty where the server does not tell."""
    variant: str
    source: str
    target: str

    @property
    def identity(self) -> dict[str, str]:
        """The same for a journal."""
        return {
            "model": self.model,
            "digest": self.digest,
            "variant": self.variant,
            "from": self.source,
            "to": self.target,
        }


class _Member:
    """One server, and what is on the way to it."""

    def __init__(self, client: AsyncClient, address: str) -> None:
        self.client = client
        self.address = address
        self.under_way = 0
        self.rests_until = 0.0
        self.checked = False
        self.checking = asyncio.Lock()


class Servers:
    """Spreads calls over servers: each goes to the one that has least to do.

    A server that does not answer is left alone for a while; while none answers, calls wait.

    Args:
        clients: One for each server, by address.
        way: How to translate.
        patience: Seconds without any answer, of any server, after which calls fail.
    """

    def __init__(
        self, clients: Sequence[tuple[str, AsyncClient]], way: Way, *, patience: float = 120.0
    ) -> None:
        self._members = [_Member(client, address) for address, client in clients]
        self._way = way
        self._patience = patience
        self._served: Served | None = None
        self._last_answer = time.monotonic()

    async def identify(self) -> Served:
        """Return the model that translates; every server that is asked later must have the same.

        Raises:
            FerrymanError: No server translates in this way.
        """
        await self._ask([])
        assert self._served is not None  # asking checks
        return self._served

    async def translate(self, texts: Sequence[str]) -> Sequence[Translation]:
        """Translate texts.

        Raises:
            OtherModelError: A server has another model than the first one.
            FerrymanError: It failed, or no server has answered for long.
        """
        return await self._ask(texts)

    async def close(self) -> None:
        """Close all connections."""
        for member in self._members:
            await member.client.close()

    async def _ask(self, texts: Sequence[str]) -> Sequence[Translation]:
        wait, began = 0.1, time.monotonic()
        while True:
            member = self._least_busy()
            try:
                member.under_way += 1
                try:
                    return await self._ask_one(member, texts)
                finally:
                    member.under_way -= 1
            except UnavailableError as error:
                now = time.monotonic()
                member.checked = False  # it may come back with another model
                member.rests_until = now + _REST_SECONDS
                if any(other.rests_until <= now for other in self._members):
                    _log.info("%s does not answer; another server is asked", member.address)
                    continue
                if now - max(self._last_answer, began) > self._patience:
                    raise
                _log.info("no server answers; trying again in %.1f s: %s", wait, error)
                await asyncio.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT)
                member.rests_until = 0.0

    def _least_busy(self) -> _Member:
        now = time.monotonic()
        return min(self._members, key=lambda m: (m.rests_until > now, m.under_way))

    async def _ask_one(self, member: _Member, texts: Sequence[str]) -> Sequence[Translation]:
        async with member.checking:
            if not member.checked:
                await self._check(member)
        assert self._served is not None
        if not texts:
            return []
        translations = await member.client.translate(
            texts,
            source=self._served.source,
            target=self._served.target,
            model=self._served.model,
            search=self._way.search,
        )
        for translation in translations:
            if translation.error is None and translation.model != self._served.model:
                raise self._other(member, translation.model)
        self._last_answer = time.monotonic()
        return translations

    async def _check(self, member: _Member) -> None:
        """Ask what a server would translate with, by a blank text, which costs it nothing."""
        way = self._way
        blank = await member.client.translate(
            "", source=way.source, target=way.target, model=way.model, search=way.search
        )
        known = {str(model): model for model in await member.client.models()}
        model = known.get(blank.model)
        served = Served(
            blank.model,
            model.digest if model else "",
            model.variant if model else "",
            blank.source_language,
            blank.target_language,
        )
        if self._served is not None and served != self._served:
            raise self._other(member, f"{served.model}, {served.variant}, {served.digest[:12]}")
        self._served = served
        member.checked = True

    def _other(self, member: _Member, found: str) -> OtherModelError:
        assert self._served is not None
        mine = f"{self._served.model}, {self._served.variant}, {self._served.digest[:12]}"
        return OtherModelError(
            f"{member.address} translates with {found}, but this run with {mine}: one output "
            "cannot have two models. What is done is kept"
        )
