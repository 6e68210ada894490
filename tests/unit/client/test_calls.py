"""Calls are started where an interrupt cannot break gRPC, and are never left behind."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from ferryman.calls import Starter


class StartedCall:
    """A call under way that notes its cancellation."""

    def __init__(self):
        self.cancelled = threading.Event()

    def cancel(self):
        self.cancelled.set()


@pytest.fixture
def starter():
    starter = Starter()
    yield starter
    starter.close()


def begin_where(threads):
    """Return what starts a call and notes the thread that it is started in."""

    def begin():
        threads.append(threading.current_thread())
        return StartedCall()

    return begin


def test_the_main_thread_starts_no_call_itself(starter):
    threads = []
    starter.start(begin_where(threads))

    assert threads != [threading.main_thread()]


def test_another_thread_starts_its_calls_itself(starter):
    threads = []
    thread = threading.Thread(target=starter.start, args=[begin_where(threads)])
    thread.start()
    thread.join()

    assert threads == [thread]


@pytest.mark.parametrize("delay", [0.0, 0.05], ids=["at the outset", "amid"])
def test_an_interrupt_while_a_call_starts_cancels_the_call(starter, delay):
    call = StartedCall()

    def begin():
        time.sleep(delay)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # as a terminal does
        time.sleep(0.2)
        return call

    with pytest.raises(KeyboardInterrupt):
        starter.start(begin)

    assert call.cancelled.wait(5)
