"""``ferryman verify``: certifies on this machine that answers do not depend on company."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ferryman.exit_codes import ExitCode

if TYPE_CHECKING:
    from ferryman_bundle import Bundle
    from ferryman_server.engine.invariance import Finding

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def verify(
    bundle: Annotated[
        str, typer.Argument(help="Directory of a bundle, or name of an installed model.")
    ],
    *,
    seed: Annotated[
        int, typer.Option(min=0, help="Of the generated sentences and of the order of arrival.")
    ] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
) -> None:
    """Certify that a bundle's answers have the same bits alone and in any company.

    Decodes its golden sentences and generated ones, with every kind of search and in every variant
    that runs on a CPU: each alone, all at once, and joining a running batch of all kinds. The exit
    code is 1 where any answer differs.
    """
    from rich.console import Console

    from ferryman_server.installed_models import find_bundle
    from ferryman_server.loading import load_bundle

    loaded = load_bundle(find_bundle(bundle))
    findings = []
    with Console(stderr=True).status("decoding each sentence alone") as status:
        for variant, finding in _findings(loaded, seed=seed):
            status.update(f"{variant}: {finding.company}, {finding.search}")
            findings.append((variant, finding))
    holds = all(finding.holds for _, finding in findings)
    manifest = loaded.manifest
    name = f"{manifest.name}@{manifest.version}"
    if as_json:
        print(json.dumps(_figures(name, findings, seed=seed, holds=holds), indent=2))
    else:
        print(_table(name, findings, holds=holds))
    sys.exit(ExitCode.OK if holds else ExitCode.FAILURE)


def _findings(bundle: Bundle, *, seed: int) -> Iterator[tuple[str, Finding]]:
    """Yield what is found, variant by variant."""
    from ferryman_server.engine.invariance import certify, generated_sources
    from ferryman_server.runtime import OnnxRuntime

    manifest = bundle.manifest
    tokens = manifest.tokens
    special = {tokens.pad, tokens.unknown, tokens.bos, tokens.eos, *tokens.never_generated}
    words = [token for token in range(tokens.vocabulary_size) if token not in special]
    for name, variant in manifest.variants.items():
        if variant.provider not in ("cpu", "any"):
            continue
        runtime = OnnxRuntime(bundle, variant=name)
        sources = [golden.source_ids for golden in manifest.golden.get(name, ())]
        sources += generated_sources(runtime, words, seed=seed)
        yield from ((name, finding) for finding in certify(runtime, sources, seed=seed))


def _figures(
    name: str, findings: Sequence[tuple[str, Finding]], *, seed: int, holds: bool
) -> dict[str, Any]:
    return {
        "model": name,
        "seed": seed,
        "holds": holds,
        "findings": [
            {"variant": variant, **dataclasses.asdict(finding)} for variant, finding in findings
        ],
    }


def _table(name: str, findings: Sequence[tuple[str, Finding]], *, holds: bool) -> str:
    """Return the findings for people: a row for each search, a column for each company."""
    companies = list(dict.fromkeys(found.company for _, found in findings))
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for variant, found in findings:
        same = found.sentences - found.differing
        cell = f"{same} of {found.sentences}"
        if not found.holds:
            cell += f", off by {found.largest_difference:.0e}"
        cells.setdefault((variant, found.search), {})[found.company] = cell
    rows = [["variant", "search", *companies]]
    rows += [[*key, *(row[company] for company in companies)] for key, row in cells.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    verdict = (
        "every answer is the same to the last bit, alone and in any company"
        if holds
        else "answers depend on their company here; report this processor and this onnxruntime"
    )
    return "\n".join([*lines, "", f"{name}: {verdict}"])
