"""Test sets: one pair a line, source TAB reference, UTF-8."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ferryman_quality.errors import PairsError

_DECOMPRESSORS: Final[Mapping[str, Callable[[bytes], bytes]]] = MappingProxyType(
    {".gz": gzip.decompress, ".xz": lzma.decompress}
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A sentence and its reference translation."""

    source: str
    target: str


def read_pairs(path: Path) -> list[Pair]:
    """Read a test set, plain, ``.gz`` or ``.xz``.

    Lines end at line feeds only, since other breaks may stand in a sentence. Blank lines are passed
    over.

    Raises:
        PairsError: There is no such file, it is no text, a line is no pair, or no line is one.
    """
    pairs = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        fields = line.removesuffix("\r").split("\t")
        if len(fields) == 2 and all(field.strip() for field in fields):
            pairs.append(Pair(*fields))
        elif line.strip():
            raise PairsError(f"{path}:{number}: must be source TAB target, neither of them blank")
    if not pairs:
        raise PairsError(f"{path}: has no sentence pairs")
    return pairs


def read_text(path: Path) -> str:
    """Return the text of a file, decompressed by its suffix.

    Raises:
        PairsError: There is no such file, it is damaged, or it is not UTF-8.
    """
    try:
        content = path.read_bytes()
        if decompress := _DECOMPRESSORS.get(path.suffix):
            content = decompress(content)
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PairsError(f"{path}: is not UTF-8 at byte {error.start}") from error
    except (OSError, EOFError, lzma.LZMAError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PairsError(f"{path}: {reason}") from error
