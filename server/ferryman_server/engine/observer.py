"""Who watches the engine: told of times as they pass, to make figures of them."""

from __future__ import annotations

from ferryman_server.engine.job import Result


class Observer:
    """Sees nothing; whoever wants to see something overrides a method.

    All are called in the engine's threads, between steps: they must return at once, and not raise.
    Times are in seconds.
    """

    def boarded(self, queue_seconds: float) -> None:
        """A sentence joined a running batch, after waiting so long."""

    def began(self, first_token_seconds: float) -> None:
        """A sentence has its first token, so long after it was submitted."""

    def stepped(self, seconds: float) -> None:
        """A worker advanced its running batch by one token, encoding of newcomers included."""

    def completed(self, result: Result) -> None:
        """A sentence has its answer."""
