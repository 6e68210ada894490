"""Lists in pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman_server.errors import InvalidRequestError
from ferryman_server.wire.pages import page


@given(st.integers(0, 50), st.integers(1, 60))
def test_following_the_tokens_gives_the_whole_list_once(length, size):
    items, token, seen = list(range(length)), "", []
    while True:
        part, token = page(items, size=size, token=token)
        assert len(part) <= size
        seen += part
        if not token:
            break
    assert seen == items


def test_no_size_leaves_it_to_the_server():
    assert page([1, 2], size=0, token="") == ([1, 2], "")


@pytest.mark.parametrize("token", ["x", "0", "-1", "3", "99999999999999999999", "٣"])
def test_a_token_of_somebody_else_is_refused(token):
    with pytest.raises(InvalidRequestError, match="page_token"):
        page([1, 2, 3], size=1, token=token)


def test_both_faults_are_reported():
    with pytest.raises(InvalidRequestError) as caught:
        page([1], size=-1, token="x")
    assert [fault.path for fault in caught.value.faults] == ["page_size", "page_token"]
