"""A model of the server: a bundle in memory, what runs it, and who uses it at the moment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from ferryman_bundle.manifest import Manifest
from ferryman_server.engine import Job, Result
from ferryman_server.runtime.scored import Scored


class Engine(Protocol):
    """What decodes: `ferryman_server.engine.Engine`, or its twin in the tests."""

    def submit(self, jobs: Sequence[Job]) -> Sequence[Future[Result]]:
        """Take all jobs, or raise and take none."""


class Tokenizer(Protocol):
    """What turns text into token ids and back: the tokenizer of a bundle."""

    def encode(self, text: str, *, reserved: bool = False) -> list[int]:
        """Return the token ids of a text, without start and end.

        Args:
            text: Any text.
            reserved: Whether the reserved characters in it were put there by us.
        """
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of token ids."""
        ...

    def __hash__(self) -> int:
        """Be the key of what is known of a tokenizer."""
        ...

    def encode_with_spans(
        self, text: str, *, reserved: bool = False
    ) -> list[tuple[int, tuple[int, int]]]:
        """Return the tokens of a text with their places in it, as offsets of code points."""
        ...

    def decode_with_spans(self, ids: Sequence[int]) -> list[tuple[int, int]]:
        """Return where each token is in what `decode` makes of them all."""

    def piece(self, token: int) -> str:
        """Return a token as it is in the vocabulary."""


class Scorer(Protocol):
    """What looks at given translations: `ferryman_server.runtime.scorer.Scorer`."""

    def score(
        self, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]
    ) -> Sequence[Scored]:
        """Score the translation of each source; neither has its end."""


class Uses:
    """Counts who uses a model at the moment, so that it can be let go without cutting anybody off.

    Belongs to one event loop. Use it as a context manager.
    """

    def __init__(self) -> None:
        self._count = 0
        self._unused = asyncio.Event()
        self._unused.set()

    def __enter__(self) -> None:
        self._count += 1
        self._unused.clear()

    def __exit__(self, *_: object) -> None:
        self._count -= 1
        if self._count == 0:
            self._unused.set()

    async def ended(self, seconds: float) -> bool:
        """Wait until nobody uses the model, but not longer than that; tell whether it is so."""
        try:
            await asyncio.wait_for(self._unused.wait(), seconds)
        except TimeoutError:
            return False
        return True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """A loaded bundle and the engine that runs it."""

    manifest: Manifest
    digest: str
    """SHA-256 of the manifest file, in hexadecimal."""
    tokenizer: Tokenizer
    engine: Engine
    scorer: Scorer | None = None
    """None where the bundle has no graph for it."""
    has_attention: bool = False
    """Whether what the scorer says has attention."""
    variant: str = "fp32"
    """Of the bundle, which is running."""
    uses: Uses = field(default_factory=Uses)
    """Whoever needs it for longer than a moment."""

    @property
    def full_name(self) -> str:
        """The model exactly, as ``name@version``."""
        return f"{self.manifest.name}@{self.manifest.version}"
