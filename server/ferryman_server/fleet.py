"""The fleet: the models of a running server, loaded beside each other, swapped and let go.

Whatever blocks (reading, loading, joining threads) is done in a thread; whatever decides is done in
the event loop, so every change of the catalogue is between two calls.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Final, Protocol

from ferryman_server.catalogue import Catalogue
from ferryman_server.errors import (
    AdminDisabledError,
    BundleNotFoundError,
    BundleRefusedError,
    Fault,
    InvalidRequestError,
)
from ferryman_server.memory import give_memory_back
from ferryman_server.model import Model
from ferryman_server.replay import replay_golden_sentences, warm_up
from ferryman_server.start_errors import StartError

_log = logging.getLogger("ferryman.server")
_MOST_FAILURES: Final = 8
"""Bundles that could not be loaded which are remembered for those who watch."""


class RunningEngine(Protocol):
    """What the fleet asks of an engine besides decoding."""

    def on_failure(self, callback: Callable[[BaseException], None]) -> None:
        """Call back, from any thread, when it dies."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model and how it ends."""

    model: Model
    engine: RunningEngine
    close: Callable[[], None]
    """Stops the engine at once and frees it; takes its time."""


Load = Callable[[Path, str | None], Loaded]
"""Loads a bundle, of which a variant may be asked for; takes its time, raises `StartError`."""


class State(Enum):
    """Whether a model can be used."""

    LOADING = auto()
    READY = auto()
    DRAINING = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Status:
    """A model, or a bundle that is none yet, at one moment."""

    state: State
    model: Model | None = None
    bundle: str = ""
    """What was asked for, where it is no model (yet)."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What a name stands for, and what it stood for before."""

    model: Model
    previous: str
    """``name@version``, or nothing."""
    previous_default: str


class Fleet:
    """Loads, swaps and lets go of models. Belongs to one event loop.

    Args:
        loaded: The models to begin with, the default one first.
        load: What loads another.
        root: The folder of bundles that may be loaded; None: none may.
        drain_seconds: How long a model may take to finish what it has, where nobody says.
    """

    def __init__(
        self, loaded: Sequence[Loaded], load: Load, *, root: Path | None, drain_seconds: float
    ) -> None:
        self.catalogue = Catalogue([one.model for one in loaded])
        self.drain_seconds = drain_seconds
        self._loaded = {one.model.full_name: one for one in loaded}
        self._load = load
        self._root = root
        self._draining: dict[str, Model] = {}
        self._others: dict[str, Status] = {}
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._failure_callbacks: list[Callable[[BaseException], None]] = []
        # What nobody may be waiting for any more, but has to be held until it is done.
        self._work: set[asyncio.Task[Loaded]] = set()
        self._closing: set[asyncio.Task[None]] = set()

    async def load(self, bundle: str, variant: str | None, *, set_default: bool) -> Change:
        """Load a bundle beside the models that are there, and prove it.

        A load that began goes on even if nobody waits for it any more.

        Args:
            bundle: Its path below the folder of bundles.
            variant: Which to run; None for the one that the device takes by itself.
            set_default: Whether its name stands for it from then on.

        Raises:
            AdminDisabledError: There is no folder of bundles.
            InvalidRequestError: The path leads out of it.
            BundleNotFoundError: There is nothing.
            BundleRefusedError: It is damaged, does harm, or fails its proof.
            ModelExistsError: A model of its name and version is there.
        """
        path = self._path(bundle)
        work = asyncio.ensure_future(self._load_beside(bundle, path, variant))
        self._work.add(work)
        work.add_done_callback(self._work.discard)
        loaded = await asyncio.shield(work)
        if set_default:
            return self.set_default(loaded.model.full_name)
        return Change(loaded.model, "", self.catalogue.default.full_name)

    def set_default(self, name: str, *, server_default: bool = False) -> Change:
        """Let the name of a model stand for one version of it, from one call to the next.

        Args:
            name: Of the model, ``name@version``.
            server_default: Whether it becomes the server's default model in any case.

        Raises:
            ModelNotFoundError: There is none.
        """
        previous_default = self.catalogue.default.full_name
        previous = self.catalogue.set_current(name, server_default=server_default)
        self._tell()
        return Change(
            self.catalogue.named(name),
            "" if previous is None else previous.full_name,
            previous_default,
        )

    async def unload(self, name: str, seconds: float | None) -> bool:
        """Take a model out, let it finish what it has, and free it.

        Args:
            name: Of the model, ``name@version``.
            seconds: How long it may take; None for as long as the server takes to end.

        Returns:
            Whether it finished everything.

        Raises:
            ModelNotFoundError: There is none.
            ModelInUseError: Calls that name no version would have no model.
        """
        model = self.catalogue.remove(name)
        close = self._loaded.pop(model.full_name).close
        self._draining[model.full_name] = model
        self._tell()
        try:
            limit = self.drain_seconds if seconds is None else seconds
            finished = await model.uses.ended(limit)
        finally:
            # Not even a caller who has left may keep the memory.
            closing = asyncio.ensure_future(self._let_go(model.full_name, close))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            del model, close
        await asyncio.shield(closing)
        return finished

    async def _let_go(self, name: str, close: Callable[[], None]) -> None:
        """Free a model: its engine stops, and its memory is the operating system's again."""
        await asyncio.to_thread(close)
        del close
        self._draining.pop(name, None)
        self._tell()
        # Those who watch let go of the model when they hear of that.
        await asyncio.sleep(0)
        await asyncio.to_thread(give_memory_back)
        _log.info("unloaded", extra={"facts": {"model": name}})

    def statuses(self) -> list[Status]:
        """Return all models and their states, the default model first."""
        return [
            *(Status(State.READY, model) for model in self.catalogue.models),
            *(Status(State.DRAINING, model) for model in self._draining.values()),
            *self._others.values(),
        ]

    async def watch(self) -> AsyncGenerator[list[Status], None]:
        """Yield `statuses` at once, and again after every change."""
        while True:
            changed = self._changed
            yield self.statuses()
            await changed.wait()

    def on_failure(self, callback: Callable[[BaseException], None]) -> None:
        """Call back, from any thread, when an engine dies, also one that is loaded later."""
        self._failure_callbacks.append(callback)
        for loaded in self._loaded.values():
            loaded.engine.on_failure(callback)

    def close(self) -> None:
        """Stop all engines."""
        for loaded in self._loaded.values():
            loaded.close()
        self._loaded.clear()

    async def _load_beside(self, bundle: str, path: Path, variant: str | None) -> Loaded:
        async with self._turn:
            self._others[bundle] = Status(State.LOADING, bundle=bundle)
            self._tell()
            began = time.monotonic()
            try:
                loaded = await asyncio.to_thread(self._load, path, variant)
                try:
                    await self._prove(loaded.model)
                    self.catalogue.add(loaded.model)
                except BaseException:
                    await asyncio.to_thread(loaded.close)
                    raise
            except Exception as error:
                self._note_failure(bundle, error)
                if isinstance(error, StartError):
                    raise BundleRefusedError(bundle, str(error)) from error
                raise
            del self._others[bundle]
            self._loaded[loaded.model.full_name] = loaded
            for callback in self._failure_callbacks:
                loaded.engine.on_failure(callback)
            self._tell()
            seconds = round(time.monotonic() - began, 1)
            facts = {"model": loaded.model.full_name, "seconds": seconds}
            _log.info("loaded", extra={"facts": facts})
            return loaded

    @staticmethod
    async def _prove(model: Model) -> None:
        """Let a model translate its golden sentences, and sentences of every length, first."""
        replay = await replay_golden_sentences(model)
        if not replay.passed:
            raise BundleRefusedError(model.full_name, replay.message)
        await warm_up(model)

    def _note_failure(self, bundle: str, error: Exception) -> None:
        _log.warning("a bundle was refused", extra={"facts": {"bundle": bundle, "why": str(error)}})
        self._others.pop(bundle, None)
        failed = [key for key, status in self._others.items() if status.state is State.FAILED]
        for key in failed[: len(failed) + 1 - _MOST_FAILURES]:
            del self._others[key]
        self._others[bundle] = Status(State.FAILED, bundle=bundle, why=str(error))
        self._tell()

    def _path(self, bundle: str) -> Path:
        """Return where a bundle is, which must be below the folder, whatever links there are."""
        if self._root is None:
            raise AdminDisabledError
        try:
            root = self._root.resolve()
            path = (root / bundle).resolve()
        except (OSError, ValueError, RuntimeError) as error:  # NUL, too long, a loop of links
            raise InvalidRequestError([Fault("bundle", "must be a path")]) from error
        if not bundle or path == root or not path.is_relative_to(root):
            fault = Fault("bundle", "must be a path below the folder of bundles")
            raise InvalidRequestError([fault])
        if not path.exists():
            raise BundleNotFoundError(bundle)
        return path

    def _tell(self) -> None:
        """Wake those who watch."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
