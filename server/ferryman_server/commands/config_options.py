"""The options of a command that takes a server's configuration, made from its fields.

They stay text: `load_config` reads it, together with the variables and the file.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from ferryman_server.config import CONFIG_VARIABLE
from ferryman_server.config_sections import SECTIONS, ModelSection

_PLACEHOLDERS: Final = {"_seconds": "SECONDS", "_bytes": "BYTES", "address": "HOST:PORT"}


def bundle_argument() -> inspect.Parameter:
    """Return the parameter for the bundle."""
    description = _help(ModelSection.model_fields["bundle"])
    argument = typer.Argument(help=description, show_default=False)
    return _parameter("bundle", argument, list[str] | None)


def config_options() -> Iterator[inspect.Parameter]:
    """Yield ``--config``, and an option for every field, in the groups of its sections."""
    file = f"Configuration file in TOML. \\[{CONFIG_VARIABLE}]"
    yield _parameter("config", typer.Option(help=file, metavar="FILE", show_default=False))
    for section in SECTIONS:
        for name, field in section.model_fields.items():
            if name == "bundle":
                continue
            option = typer.Option(
                help=_help(field),
                metavar=_metavar(name, field),
                show_default=False,
                rich_help_panel=f"{section.title}, \\[{section.table}] in the file",
            )
            yield _parameter(name, option)


def _parameter(name: str, option: Any, value: Any = str | None) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=None, annotation=Annotated[value, option])


def _help(field: FieldInfo) -> str:
    description = " ".join((field.description or "").split())
    default = field.default
    if field.default_factory is not None or default is None:
        return f"{description}."
    shown = f"{default:g}" if isinstance(default, float) else str(default)
    return f"{description}. \\[default: {shown}]"


def _metavar(name: str, field: FieldInfo) -> str:
    """Return the placeholder of a value: its choices, its unit, or its kind."""
    kind = field.annotation
    if choices := get_args(kind) if get_origin(kind) is Literal else None:
        return "|".join(choices)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return "|".join(kind)
    for ending, placeholder in _PLACEHOLDERS.items():
        if name.endswith(ending):
            return placeholder
    return "N" if kind is int else "NAME"
