"""Writes the reversal task: letters in, the same letters out in reverse order.

A corpus that anybody can make, that a small model learns in a minute, and in which every output
is plainly right or wrong: ``k c a b`` becomes ``b a c k``. It proves the whole road, from training
to serving, without a download.

    python training/tasks/reversal.py FOLDER

writes ``train.tsv``, ``valid.tsv`` and ``test.tsv``; no source stands in two of them, so a model
that does well on the last two has learnt the task and not the lines.
"""

from __future__ import annotations

import argparse
import random
import string
from pathlib import Path

SIZES = {"train": 20_000, "valid": 200, "test": 500}
"""Lines of each part."""


def sequences(count: int, *, shortest: int, longest: int, seed: int) -> list[str]:
    """Return so many different sequences of letters with spaces between them.

    Args:
        count: How many.
        shortest: Least number of letters in one.
        longest: Greatest number of letters in one; every length is equally likely.
        seed: The same seed gives the same sequences.
    """
    chance = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        length = chance.randint(shortest, longest)
        found[" ".join(chance.choices(string.ascii_lowercase, k=length))] = None
    return list(found)


def write(folder: Path, *, shortest: int = 4, longest: int = 10, seed: int = 1) -> None:
    """Write the three parts of the task into a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = iter(sequences(sum(SIZES.values()), shortest=shortest, longest=longest, seed=seed))
    for name, size in SIZES.items():
        with (folder / f"{name}.tsv").open("w", encoding="utf-8") as file:
            for _ in range(size):
                source = next(lines)
                file.write(f"{source}\t{source[::-1]}\n")


def main() -> None:
    """Read the command line and write the task."""
    parser = argparse.ArgumentParser(description="Write the reversal task as TSV files.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shortest", type=int, default=4, help="fewest letters of a line")
    parser.add_argument("--longest", type=int, default=10, help="most letters of a line")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    write(options.folder, shortest=options.shortest, longest=options.longest, seed=options.seed)


if __name__ == "__main__":
    main()
