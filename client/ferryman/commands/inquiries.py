"""`ferryman models`, `ferryman info` and `ferryman health`: what a server tells of itself."""

from __future__ import annotations

import dataclasses
import datetime
import json
from typing import Annotated, Any

import typer

from ferryman.channel import DEFAULT_ADDRESS
from ferryman.commands.connection import connected
from ferryman.commands.options import AsJson, ServerAddress, Timeout, errors_explained
from ferryman.description import Model
from ferryman.exit_codes import ExitCode

models_app = typer.Typer(add_completion=False, rich_markup_mode=None)
info_app = typer.Typer(add_completion=False, rich_markup_mode=None)
health_app = typer.Typer(add_completion=False, rich_markup_mode=None)

Verbose = Annotated[bool, typer.Option("--verbose", help="Say more of each model.")]


@models_app.command()
def models(
    *,
    server: ServerAddress = DEFAULT_ADDRESS,
    verbose: Verbose = False,
    as_json: AsJson = False,
    timeout: Timeout = 30.0,
) -> None:
    """List the models of a server: name, languages, variant. The default model is marked by *.

    With --json, one object for each model. Exit codes: 0 done, 2 wrong usage, 5 no server, 7 out of
    time.
    """
    with errors_explained("models"), connected(server, timeout=timeout) as client:
        found = client.models()
    for model in found:
        print(_json(model) if as_json else _line(model))
        if verbose and not as_json:
            print(_indented(model))


@info_app.command()
def info(
    *,
    server: ServerAddress = DEFAULT_ADDRESS,
    as_json: AsJson = False,
    timeout: Timeout = 30.0,
) -> None:
    """Tell what a server is: its version, device, limits, and what it supports.

    Exit codes: 0 done, 2 wrong usage, 5 no server, 7 out of time.
    """
    with errors_explained("info"), connected(server, timeout=timeout) as client:
        found = client.info()
    if as_json:
        print(_json(found))
        return
    device, limits = found.device, dataclasses.asdict(found.limits)
    started = "unknown" if found.started is None else found.started.isoformat(" ", "seconds")
    rows = {
        "version": found.version,
        "started": started,
        "device": f"{device.provider}, {device.runtime} {device.runtime_version}".rstrip(),
        "workers": f"{device.workers}, each with {device.threads_per_worker} threads",
        "default model": found.default_model,
        "features": ", ".join(found.features) or "none",
        **{name.replace("_", " "): f"{limit:,}" for name, limit in limits.items() if limit},
    }
    for name, value in rows.items():
        print(f"{name + ':':<24}{value}")


@health_app.command()
def health(
    model: Annotated[
        str, typer.Argument(metavar="[MODEL]", help="Model, as the server names its health.")
    ] = "",
    *,
    server: ServerAddress = DEFAULT_ADDRESS,
    as_json: AsJson = False,
    timeout: Timeout = 5.0,
) -> None:
    """Tell whether a server, or one model of it, translates now.

    Exit codes: 0 it does, 2 wrong usage, 5 it does not, or no server answers, 6 it has no such
    model, 7 out of time.
    """
    with errors_explained("health"), connected(server, timeout=timeout) as client:
        serving = client.health(model)
    if as_json:
        print(json.dumps({"server": server, "model": model or None, "serving": serving}))
    else:
        print("serving" if serving else "not serving")
    if not serving:
        raise typer.Exit(ExitCode.UNAVAILABLE)


def _line(model: Model) -> str:
    mark = "*" if model.default else " "
    pairs = " ".join(map(str, model.language_pairs))
    return f"{mark} {model}  {pairs}  {model.variant}{'' if model.ready else '  not ready'}"


def _indented(model: Model) -> str:
    rows = {
        "description": model.description,
        "licence": model.license,
        "family": f"{model.family}, {model.parameters:,} weights",
        "digest": model.digest,
        "longest sentence": f"{model.max_source_tokens} tokens",
    }
    if model.quality is not None:
        quality = model.quality
        rows["quality"] = (
            f"BLEU {quality.bleu:.1f}, chrF {quality.chrf:.1f} on {quality.test_set}, "
            f"{quality.search}"
        )
    return "\n".join(f"    {name}: {value}" for name, value in rows.items())


def _json(described: Any) -> str:
    def written(value: object) -> str:
        assert isinstance(value, datetime.datetime)  # everything else JSON knows
        return value.isoformat()

    return json.dumps(dataclasses.asdict(described), ensure_ascii=False, default=written)
