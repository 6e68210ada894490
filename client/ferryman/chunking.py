"""Which texts travel together: a long list goes out as several requests, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ferryman.description import Limits
from ferryman.errors import ErrorDetails, InputTooLongError, InvalidRequestError

_TEXTS = 64
_BYTES = 32 * 1024
_MESSAGE_OVERHEAD = 4 * 1024
"""Bytes that a request has besides its texts; options and language codes are far below."""
_TEXT_OVERHEAD = 6
"""Bytes that protobuf adds to each text: its tag and its length."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The texts of one request."""

    start: int
    """Number of the first text in the caller's list."""
    texts: tuple[str, ...]
    """The texts; at least one."""

    def name_of(self, text: int) -> str:
        """Return the name, in the caller's list, of a text of this chunk."""
        return f"contents[{self.start + text}]"


@dataclass(frozen=True, slots=True)
class ChunkSize:
    """How much one request may hold.

    Much smaller than any server allows: a server that batches continuously gains nothing from large
    requests, and several small ones on the way keep it busy while answers travel.
    """

    texts: int = _TEXTS
    """Texts in one request."""
    bytes: int = _BYTES
    """Bytes of the texts of one request; a text that is longer than this goes alone."""
    message_bytes: int | None = None
    """Bytes that no request may exceed, be it one text; None: the server tells."""

    @classmethod
    def below(cls, limits: Limits) -> ChunkSize:
        """Return the chunk size for a server with these limits."""
        message = limits.max_request_bytes
        return cls(
            texts=min(_TEXTS, limits.max_contents or _TEXTS),
            bytes=min(_BYTES, max(1, (message or _BYTES + _MESSAGE_OVERHEAD) - _MESSAGE_OVERHEAD)),
            message_bytes=message,
        )

    def chunks(self, texts: Iterable[str]) -> Iterator[Chunk]:
        """Divide texts into chunks, in order; texts are taken only as chunks are asked for.

        Raises:
            InvalidRequestError: A text has code points that are no characters.
            InputTooLongError: A text does not fit into any request.
        """
        start, held, size = 0, list[str](), 0
        for number, text in enumerate(texts):
            length = self._checked_length(number, text)
            if held and (len(held) >= self.texts or size + length > self.bytes):
                yield Chunk(start, tuple(held))
                start, held, size = number, [], 0
            held.append(text)
            size += length
        if held:
            yield Chunk(start, tuple(held))

    def _checked_length(self, number: int, text: str) -> int:
        """Return the bytes that a text takes up in a request."""
        length = encoded_length(number, text) + _TEXT_OVERHEAD
        if self.message_bytes is not None and length + _MESSAGE_OVERHEAD > self.message_bytes:
            raise InputTooLongError(
                f"contents[{number}] takes {length} bytes, and the server accepts requests of "
                f"{self.message_bytes} bytes: split the text",
                ErrorDetails(status="INVALID_ARGUMENT", reason="INPUT_TOO_LONG"),
            )
        return length


def encoded_length(number: int, text: str) -> int:
    """Return the bytes of a text in UTF-8.

    Raises:
        TypeError: It is no text.
        InvalidRequestError: It has surrogates, which are no characters and have no UTF-8 form.
    """
    if not isinstance(text, str):
        raise TypeError(f"contents[{number}] is {type(text).__name__}, not str")
    try:
        return len(text.encode())
    except UnicodeEncodeError as fault:
        raise InvalidRequestError(
            f"contents[{number}] has a surrogate ({text[fault.start]!r}) at offset {fault.start}, "
            "which is no character: decode the text with errors='replace', or mend it",
            ErrorDetails(status="INVALID_ARGUMENT", reason="INVALID_FIELD"),
        ) from None
