"""The configuration of a server: flags over ``FERRYMAN_*`` over a file over defaults.

Every value keeps where it is from, so that all faults are told at once, each with its place.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from ferryman_server.config_sections import SECTIONS, ServerConfig
from ferryman_server.start_errors import ConfigError

__all__ = ["CONFIG_VARIABLE", "ServerConfig", "flag_of", "load_config", "variable_of"]

CONFIG_VARIABLE: Final = "FERRYMAN_CONFIG"
"""Names the configuration file where ``--config`` does not."""


@dataclass(frozen=True, slots=True)
class _Setting:
    value: object
    origin: str
    """Where it was given, in the words of a message."""


def load_config(
    flags: Mapping[str, str | Sequence[str] | None], file: str | None = None
) -> ServerConfig:
    """Put the configuration together.

    Args:
        flags: The flags by name of their field, as they were typed; None where one was not given.
        file: Path of a configuration file in TOML.

    Raises:
        ConfigError: With everything that is wrong, one fault a line.
    """
    faults: list[str] = []
    settings = _file_settings(file, faults) if file else {}
    settings |= _variable_settings()
    settings |= {
        name: _Setting(value, flag_of(name))
        for name, value in flags.items()
        if value is not None and value != []
    }
    try:
        config = ServerConfig.model_validate({name: s.value for name, s in settings.items()})
    except ValidationError as error:
        faults += [_fault(settings[str(fault["loc"][0])], fault["msg"]) for fault in error.errors()]
    faults += _contradictions(settings)
    if faults:
        raise ConfigError("\n".join(faults))
    return config


def _contradictions(settings: Mapping[str, _Setting]) -> Iterator[str]:
    """Yield what is set without what it needs."""
    needs = {
        "tls_certificate": "tls_key",
        "tls_key": "tls_certificate",
        "tls_client_ca": "tls_certificate",
    }
    for name, needed in needs.items():
        if name in settings and needed not in settings:
            yield f"{settings[name].origin}: needs {flag_of(needed)} beside it"


def flag_of(name: str) -> str:
    """Return the flag of a field: ``--max-rows``, or ``BUNDLE``, which is an argument."""
    return "BUNDLE" if name == "bundle" else f"--{name.replace('_', '-')}"


def variable_of(name: str) -> str:
    """Return the environment variable of a field: ``FERRYMAN_MAX_ROWS``."""
    return f"FERRYMAN_{name.upper()}"


def _variable_settings() -> dict[str, _Setting]:
    """Read the variables of the fields; an empty one is none.

    Variables of other names are left alone: Kubernetes makes some, as ``FERRYMAN_SERVICE_HOST``,
    for every service that is called ferryman.
    """
    names = {variable_of(name): name for name in ServerConfig.model_fields}
    return {
        name: _Setting(value, variable)
        for variable, name in names.items()
        if (value := os.environ.get(variable))
    }


def _file_settings(file: str, faults: list[str]) -> dict[str, _Setting]:
    """Read a configuration file; what is wrong with it as a file is added to the faults."""
    try:
        text = Path(file).read_text("utf-8")
        tables = tomllib.loads(text)
    except OSError as error:
        faults.append(f"{file}: {error.strerror}")
        return {}
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        faults.append(f"{file}: is no TOML: {error}")
        return {}
    known = {section.table: section.model_fields for section in SECTIONS}
    settings = {}
    for table, key, value in _entries(tables):
        path = f"{table}.{key}" if key else table
        origin = f"{file}:{_line_of(table, key, text)}: {path}"
        if key in known.get(table, ()):
            settings[key] = _Setting(value, origin)
        else:
            faults.append(f"{origin}: {_unknown(table, key)}")
    return settings


def _entries(tables: Mapping[str, object]) -> Iterator[tuple[str, str, object]]:
    """Yield table, key and value of every entry; the key is empty where there is no table."""
    for table, content in tables.items():
        if isinstance(content, dict):
            yield from ((table, key, value) for key, value in content.items())
        else:
            yield table, "", content


def _unknown(table: str, key: str) -> str:
    """Return what to say of an entry that means nothing."""
    tables = {name: section.table for section in SECTIONS for name in section.model_fields}
    name = key or table
    if name in tables:
        return f"belongs into the table [{tables[name]}]"
    close = get_close_matches(name, tables, n=1)
    hint = f"; did you mean {tables[close[0]]}.{close[0]}?" if close else ""
    return f"there is no such option{hint}"


def _line_of(table: str, key: str, text: str) -> int:
    """Return the line in which an entry begins, as far as it can be found by its spelling.

    The parser does not tell; 1 stands for an entry that is spelt in a roundabout way.
    """
    inside = not key
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[\s*\"?([\w-]+)\"?\s*\]", line):
            inside = bool(key) and header[1] == table
        elif inside and re.match(rf"\s*\"?{re.escape(key or table)}\"?\s*=", line):
            return number
    return 1


def _fault(setting: _Setting, message: str) -> str:
    rule = (
        message.removeprefix("Value error, ")
        .replace("Input should", "must")
        .replace("must be a valid", "must be a")
        .replace(" a integer", " an integer")
        .replace("Path does not point to", "must be")
    )
    return f"{setting.origin}: {rule}, but is {setting.value!r}"
