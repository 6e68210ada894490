"""Small parts of the processes: their cores, their share, their requests to stop."""

from __future__ import annotations

import os
import signal

import pytest
import torch

from ferryman_training.cores import usable_cores
from ferryman_training.interruption import PARENT, stop_request
from ferryman_training.replicas import Replicas


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 8), ("200000 100000", 2), ("50000 100000", 1), ("9900000 100000", 8), ("", 8)],
)
def test_cores_are_bounded_by_affinity_and_quota(tmp_path, monkeypatch, quota, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    (tmp_path / "cpu.max").write_text(quota, "ascii")
    assert usable_cores(tmp_path / "cpu.max") == expected
    assert usable_cores(tmp_path / "none") == 8


def test_alone_there_is_nothing_to_exchange():
    alone = Replicas()
    tensor = torch.ones(2)
    alone.sum(tensor)
    assert tensor.tolist() == [1.0, 1.0]
    assert (alone.any(True), alone.any(False)) == (True, False)
    assert alone.from_leader("x") == "x"
    assert alone.gather(3) == [3]
    assert alone.leads


def test_threads_are_shared_out_unless_configured(monkeypatch):
    monkeypatch.setattr("ferryman_training.replicas.usable_cores", lambda: 8)
    assert [Replicas(0, world).threads(0) for world in (1, 2, 3, 16)] == [8, 4, 2, 1]
    assert Replicas(0, 2).threads(5) == 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_a_request_and_afterwards_a_signal_again(number):
    before = signal.getsignal(number)
    heard = []
    with stop_request(lambda: heard.append(True)) as stop:
        assert not stop.made
        os.kill(os.getpid(), number)
        assert stop.made
    assert heard == [True]
    assert signal.getsignal(number) is before


def test_an_interrupt_that_the_launcher_has_silenced_stays_silent():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stop_request(lambda: None) as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert not stop.made
    finally:
        signal.signal(signal.SIGINT, before)


def test_losing_the_launcher_is_a_request_to_stop(monkeypatch):
    monkeypatch.setenv(PARENT, str(os.getppid()))
    with stop_request(lambda: None) as stop:
        assert not stop.made
        monkeypatch.setattr(os, "getppid", lambda: 1)
        assert stop.made
