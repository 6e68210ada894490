"""When to try a failed call again, and for how long: deadlines, waits and the budget."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ferryman.errors import FerrymanError, OverloadedError, UnavailableError

_JITTER = 0.2
"""Share of a wait that is random, so that clients refused together do not return together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When to try again.

    A call that was refused with a time to come back (RetryInfo) is repeated after that time, as
    often as its deadline allows: the server has measured when it will have room. A call that found
    no server is repeated after growing waits, a few times only.

    >>> Retry(max_attempts=1)  # never repeat what the server has not asked to repeat
    Retry(max_attempts=1, initial_wait=0.1, max_wait=5.0)
    """

    max_attempts: int = 5
    """Most attempts of a call whose repetition the server did not ask for."""
    initial_wait: float = 0.1
    """Seconds before the second attempt."""
    max_wait: float = 5.0
    """Seconds that the wait, which doubles each time, grows to."""

    def __post_init__(self) -> None:
        """Check the range of every field."""
        if self.max_attempts < 1:
            raise ValueError(f"a call needs at least one attempt, not {self.max_attempts}")
        if not 0 < self.initial_wait <= self.max_wait:
            raise ValueError(
                f"waits grow from initial_wait {self.initial_wait} to max_wait {self.max_wait}: "
                "0 < initial_wait <= max_wait"
            )


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a call has to be over."""

    moment: float
    """Reading of the monotonic clock at that time."""
    timeout: float
    """Seconds that the call was given, for messages."""

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline that is so many seconds from now.

        Raises:
            ValueError: There is no time at all.
        """
        if not seconds > 0:
            raise ValueError(f"timeout is a number of seconds above 0, not {seconds}")
        return cls(time.monotonic() + seconds, seconds)

    def remaining(self) -> float:
        """Seconds until then; 0 when it has passed."""
        return max(0.0, self.moment - time.monotonic())


class RetryBudget:
    """Keeps the retries of one client to a fraction of its calls.

    Every retry of what a server answered with a failure, and did not ask for again, takes one
    token, every success brings a tenth of one back, and below half of the capacity there is none
    to have: when nearly everything fails, trying again only adds load (the retry throttling of
    gRPC's proposal A6). What no server answered adds load to none, and costs nothing: a server that
    starts again must not leave those behind who waited for it.
    """

    def __init__(self, capacity: float = 20.0, refund: float = 0.1) -> None:
        self._capacity = capacity
        self._refund = refund
        self._tokens = capacity
        self._lock = threading.Lock()

    def succeeded(self) -> None:
        """Note a success."""
        with self._lock:
            self._tokens = min(self._capacity, self._tokens + self._refund)

    def take(self) -> bool:
        """Take the token of one retry; False when there is none to have."""
        with self._lock:
            if self._tokens <= self._capacity / 2:
                return False
            self._tokens -= 1.0
            return True


class Attempts:
    """The attempts of one call: how long to wait after each failure, if there is another."""

    def __init__(
        self,
        retry: Retry,
        budget: RetryBudget,
        deadline: Deadline,
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.deadline = deadline
        self._retry = retry
        self._budget = budget
        self._jitter = jitter
        self._unasked = 0

    def wait_after(self, error: FerrymanError) -> float | None:
        """Return the seconds to wait before the next attempt, or None to give up.

        A wait that would end after the deadline is not begun: the caller learns at once.
        """
        if not isinstance(error, UnavailableError | OverloadedError):
            return None
        asked = error.retry_after
        if asked is not None:
            return self._within_deadline(max(asked, self._retry.initial_wait))
        if isinstance(error, OverloadedError):
            return None  # such as a message above the size limit: it will not shrink
        self._unasked += 1
        if self._unasked >= self._retry.max_attempts:
            return None
        if error.was_answered and not self._budget.take():
            return None
        grown = self._retry.initial_wait * 2.0 ** (self._unasked - 1)
        return self._within_deadline(min(grown, self._retry.max_wait))

    def _within_deadline(self, wait: float) -> float | None:
        wait *= 1.0 + _JITTER * self._jitter()
        return wait if wait < self.deadline.remaining() else None

    def succeeded(self) -> None:
        """Note that the call has its answer."""
        self._budget.succeeded()
