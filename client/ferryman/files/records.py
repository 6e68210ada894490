"""Records: the lines of a journal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ferryman.files.chunks import UnitChunk, digest_of

FORMAT = 1
"""Of the journal."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A unit that has no translation, as the side file has it."""

    unit: int
    """Its number in its chunk, from 1."""
    status: str
    """Name of the gRPC status, as ``INVALID_ARGUMENT``."""
    reason: str
    """Stable name of the cause, as ``INPUT_TOO_LONG``."""
    message: str
    """The cause in words."""
    source: str | None
    """The text; None where there is none, as in a line that is not UTF-8."""

    def line(self, noun: str, before: int) -> bytes:
        """Return the failure as a line of the side file.

        Args:
            noun: What a unit is called.
            before: Units of the file before the chunk of this one.
        """
        fields = asdict(self)
        return line_of({noun: before + fields.pop("unit"), **fields})


@dataclass(frozen=True, slots=True)
class Rendered:
    """A chunk that is translated."""

    output: bytes
    """What its units rendered to."""
    failures: tuple[Failure, ...] = ()
    """Units of it that have no translation."""
    tokens: int = 0
    """Tokens that were generated for it."""


@dataclass(frozen=True, slots=True)
class Record:
    """One chunk that is done, in a journal.

    Chunks are recorded as they are done, which need not be their order. One that comes before its
    turn is recorded with its output; when its turn comes, and its output is in the part file, it is
    recorded again without.
    """

    chunk: int
    units: int
    source: str
    """Digest of the input."""
    size: int
    """Bytes of the output."""
    digest: str
    """Digest of the output."""
    tokens: int
    failures: tuple[Failure, ...]
    early: str | None = None
    """The output, where the chunk is done before its turn."""

    @classmethod
    def of(cls, chunk: UnitChunk, rendered: Rendered, *, early: bool = False) -> Record:
        """Return the record of a chunk."""
        return cls(
            chunk=chunk.number,
            units=len(chunk.units),
            source=chunk.digest,
            size=len(rendered.output),
            digest=digest_of([rendered.output]),
            tokens=rendered.tokens,
            failures=rendered.failures,
            early=rendered.output.decode() if early else None,
        )

    @classmethod
    def parse(cls, line: bytes) -> Record | None:
        """Return the record that a line holds; None where it holds none."""
        try:
            fields = json.loads(line)
            failures = tuple(Failure(**failure) for failure in fields.pop("failures", ()))
            return cls(**fields, failures=failures)
        except (ValueError, TypeError, AttributeError):
            return None

    def line(self) -> bytes:
        """Return the record as a line."""
        fields = {name: value for name, value in asdict(self).items() if value not in (None, ())}
        return line_of(fields)

    @property
    def output(self) -> bytes:
        """The output of a chunk that was done before its turn."""
        return (self.early or "").encode()


def line_of(fields: Mapping[str, object]) -> bytes:
    """Return one line of JSON."""
    return json.dumps(fields, ensure_ascii=False).encode() + b"\n"


DONE = line_of({"done": True})
"""The last line of a journal whose part file is complete."""


def header_of(identity: Mapping[str, str]) -> bytes:
    """Return the first line of a journal."""
    return line_of({"ferryman_decode": FORMAT, "run": dict(identity)})


def identity_of(header: bytes) -> Mapping[str, str] | None:
    """Return what the first line of a journal says of its run; None where it is none."""
    try:
        fields = json.loads(header)
        return fields["run"] if fields["ferryman_decode"] == FORMAT else None
    except (ValueError, TypeError, KeyError):
        return None


def lines_with_ends(path: Path) -> Iterator[tuple[bytes, int]]:
    """Yield the complete lines of a journal, each with the offset of its end."""
    end = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return  # torn by the end of the process
            end += len(line)
            yield line, end
