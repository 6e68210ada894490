"""One run of `ferryman decode`: the servers, the files, and what is told of each."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ferryman.commands.connection import connected_async
from ferryman.commands.file_progress import FileProgress, shown_progress
from ferryman.commands.options import tell
from ferryman.files.decoding import FileTask, Summary, decode_file
from ferryman.files.durability import beside
from ferryman.files.folders import FolderJournal, files_in
from ferryman.files.formats import format_of
from ferryman.files.journal import FAILURES
from ferryman.files.servers import Servers, Way
from ferryman.files.units import Format
from ferryman.files.verification import discrepancies

_VERB = "decode"
_SHOWN_DISCREPANCIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """What the command line says about a run."""

    servers: tuple[str, ...]
    way: Way
    window: int
    """Requests on the way to each server."""
    timeout: float
    patience: float
    restart: bool
    verify: bool
    as_json: bool

    @asynccontextmanager
    async def pool(self) -> AsyncIterator[Servers]:
        """Connect to the servers while the block runs."""
        clients = [(each, connected_async(each, timeout=self.timeout)) for each in self.servers]
        pool = Servers(clients, self.way, patience=self.patience)
        try:
            yield pool
        finally:
            await pool.close()

    async def identity(self, pool: Servers) -> dict[str, str]:
        """Return what the output depends on besides the input and its format."""
        served = await pool.identify()
        return {**served.identity, "search": str(self.way.search or "the model's own")}


async def decode_one(bulk: Bulk, source: Path, output: Path, form: Format) -> bool:
    """Translate a file.

    Returns:
        Whether all of it has a translation, and --verify found nothing.
    """
    async with bulk.pool() as pool:
        return await _decode(bulk, pool, await bulk.identity(pool), source, output, form)


async def decode_folder(bulk: Bulk, source: Path, output: Path) -> bool:
    """Translate the files of a folder, one after the other.

    Returns:
        Whether everything has a translation, and --verify found nothing.
    """
    files, complete = files_in(source), True
    async with bulk.pool() as pool:
        identity = await bulk.identity(pool)
        with FolderJournal(output, identity, restart=bulk.restart) as journal:
            for path, target in journal.left(files, source, output):
                form = format_of(path)
                complete &= await _decode(bulk, pool, identity, path, target, form)
    return complete


async def _decode(
    bulk: Bulk, pool: Servers, identity: dict[str, str], source: Path, output: Path, form: Format
) -> bool:
    task = FileTask(
        source=source, output=output, format=form, identity=identity, restart=bulk.restart
    )
    window = bulk.window * len(bulk.servers)
    with shown_progress(source, form) as progress:
        summary = await decode_file(task, pool.translate, window=window, on_step=progress.step)
    found = _verify(form, source, output) if bulk.verify else 0
    _sum_up(summary, progress, output, form, discrepancy_count=found, as_json=bulk.as_json)
    return not summary.failed and not found


def _verify(form: Format, source: Path, output: Path) -> int:
    """Check an output against its input, tell what does not fit, and return how much that is."""
    count = 0
    for count, discrepancy in enumerate(discrepancies(form, source, output), 1):
        if count <= _SHOWN_DISCREPANCIES:
            tell(_VERB, [f"{output}, {form.noun} {discrepancy.unit}: {discrepancy.what}"])
    if count > _SHOWN_DISCREPANCIES:
        tell(_VERB, [f"... and {count - _SHOWN_DISCREPANCIES} more like these"])
    return count


def _sum_up(
    summary: Summary,
    progress: FileProgress,
    output: Path,
    form: Format,
    *,
    discrepancy_count: int,
    as_json: bool,
) -> None:
    side = beside(output, FAILURES) if summary.failed else None
    if as_json:
        fields = {
            "output": str(output),
            f"{form.noun}s": summary.units,
            "failed": summary.failed,
            "failures": side and str(side),
            "discrepancies": discrepancy_count,
            "tokens": progress.tokens,
            "seconds": round(progress.seconds, 3),
        }
        print(json.dumps(fields, ensure_ascii=False))
        return
    speed = f", {progress.tokens / progress.seconds:,.0f} tokens/s" if progress.tokens else ""
    tell(_VERB, [f"{output}: {summary.units:,} {form.noun}s in {progress.seconds:.1f} s{speed}"])
    if side:
        tell(_VERB, [f"{summary.failed:,} of them have no translation: {side} says why"])
    sys.stderr.flush()
