"""Long lists in pages, by the convention of AIP-158."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from ferryman_server.errors import Fault, InvalidRequestError

LARGEST_PAGE: Final = 1000

Item = TypeVar("Item")


def page(items: Sequence[Item], *, size: int, token: str) -> tuple[Sequence[Item], str]:
    """Return one page of a list, and the token of the next page.

    Args:
        items: The whole list.
        size: Most items on the page; 0 leaves it to the server, and more than the server gives is
            what the server gives.
        token: Which page: what this function returned with the page before, or nothing.

    Raises:
        InvalidRequestError: The size is negative, or the token is none of ours.
    """
    faults = []
    if size < 0:
        faults.append(Fault("page_size", f"must not be negative, but is {size}"))
    start = int(token) if token.isascii() and token.isdigit() and len(token) < 10 else 0
    if (token and not start) or (start and start >= len(items)):
        faults.append(Fault("page_token", "must be the next_page_token of the page before"))
    if faults:
        raise InvalidRequestError(faults)
    end = start + min(size or LARGEST_PAGE, LARGEST_PAGE)
    return items[start:end], str(end) if end < len(items) else ""
