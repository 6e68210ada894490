"""The lines of a text file, plain or compressed, one at a time."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, cast

from ferryman_training.errors import CorpusError
from ferryman_training.zstandard import zstd

_BYTE_ORDER_MARK: Final = "\ufeff"


def lines(path: Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 file without their ends, decompressed by its suffix.

    Lines end at line feeds only: other breaks, such as U+2028, may stand in a sentence.

    Raises:
        CorpusError: The file cannot be read, or a line is not UTF-8; it is named.
    """
    number = 0
    try:
        with _open(path) as raw:
            for line in raw:
                number += 1
                text = line.decode("utf-8").rstrip("\r\n")
                yield text.removeprefix(_BYTE_ORDER_MARK) if number == 1 else text
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}:{number}: is not UTF-8 ({error.reason})") from error
    except (OSError, EOFError, lzma.LZMAError, zstd.ZstdError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CorpusError(f"{path}: cannot be read ({reason})") from error


def _open(path: Path) -> BinaryIO:
    match path.suffix:
        case ".gz":
            return cast(BinaryIO, gzip.open(path))
        case ".xz":
            return cast(BinaryIO, lzma.open(path))
        case ".zst":
            return cast(BinaryIO, zstd.open(path))
        case _:
            return path.open("rb")
