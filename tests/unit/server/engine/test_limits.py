"""Length limits with countdowns against limits that are looked at in every step."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ferryman_server.engine import Search
from ferryman_server.engine.limits import LengthLimits

searches = st.builds(
    lambda low, more: Search(min_tokens=low, max_tokens=low + more),
    st.integers(0, 6),
    st.integers(1, 9),
)


@given(arrivals=st.lists(st.tuples(st.integers(0, 4), searches), min_size=1, max_size=12))
def test_countdowns_tell_what_a_look_in_every_step_would(arrivals):
    limits = LengthLimits(len(arrivals))
    waiting = list(arrivals)
    slots: list[list] = []
    while waiting or slots:
        while waiting and (waiting[0][0] == 0 or not slots):
            _, search = waiting.pop(0)
            limits.admit(len(slots), search)
            slots.append([search, 0])
        waiting = [(max(0, delay - 1), search) for delay, search in waiting]
        early = [length < search.min_tokens for search, length in slots]
        assert limits.somebody_is_early or not any(early)
        slots = [[search, length + 1] for search, length in slots]
        lengths = np.array([length for _, length in slots], np.int32)
        may_end, at_limit = limits.advance(lengths)
        n = len(slots)
        assert [not may for may in (np.ones(n, bool) if may_end is None else may_end)] == early
        expected = [length >= search.max_tokens for search, length in slots]
        assert list(np.zeros(n, bool) if at_limit is None else at_limit) == expected
        # Those at their limit leave, and the last take their slots.
        for slot in reversed(range(n)):
            if expected[slot]:
                last = slots.pop()
                if slot < len(slots):
                    limits.move(len(slots), slot)
                    slots[slot] = last


def test_limits_that_concern_nobody_cost_no_look():
    limits = LengthLimits(1)
    limits.admit(0, Search(max_tokens=3))
    assert not limits.somebody_is_early
    assert limits.advance(np.array([1], np.int32)) == (None, None)
    assert limits.advance(np.array([2], np.int32)) == (None, None)
    _, at_limit = limits.advance(np.array([3], np.int32))
    assert at_limit is not None
    assert at_limit.all()
