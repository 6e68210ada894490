"""``ferryman doctor``: look at this machine before a server runs on it, and say what to do."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ferryman.exit_codes import ExitCode
from ferryman_server.commands.config_options import bundle_argument, config_options
from ferryman_server.config import CONFIG_VARIABLE, load_config
from ferryman_server.doctor import Finding, Verdict, examine

app = typer.Typer(add_completion=False, rich_markup_mode="rich")

_STYLES = {Verdict.GOOD: "green", Verdict.WARNING: "yellow", Verdict.FAULT: "bold red"}


def doctor(*, as_json: bool, config: str | None, **flags: str | None) -> None:
    """Check whether this machine can serve as it is told to, and say what to do.

    Takes the bundle, the options, the variables and the file that ferryman serve takes, and starts
    nothing. Exit codes: 0 no fault, perhaps warnings, 1 a fault, 2 a faulty configuration.
    """
    file = config or os.environ.get(CONFIG_VARIABLE) or None
    findings = examine(load_config(flags, file))
    is_fit = not any(finding.verdict is Verdict.FAULT for finding in findings)
    if as_json:
        print(json.dumps({"fit": is_fit, "findings": [asdict(f) for f in findings]}, indent=2))
    else:
        Console(highlight=False).print(_table(findings))
    raise typer.Exit(ExitCode.OK if is_fit else ExitCode.FAILURE)


def _table(findings: Sequence[Finding]) -> Table:
    table = Table("", "", "", box=None, show_header=False, padding=(0, 2, 0, 0))
    for finding in findings:
        remedy = f"\n-> {finding.remedy}" if finding.remedy else ""
        style = _STYLES[finding.verdict]
        table.add_row(
            f"[{style}]{finding.verdict}[/]", finding.subject, _plain(finding.found + remedy)
        )
    return table


def _plain(text: str) -> str:
    """Keep brackets, as in ``ferryman[server]``, from being read as styles."""
    return text.replace("[", "\\[")


_AS_JSON = Annotated[bool, typer.Option("--json", help="Print JSON, not a table.")]
doctor.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [
        bundle_argument(),
        inspect.Parameter(
            "as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=_AS_JSON
        ),
        *config_options(),
    ]
)
app.command()(doctor)
