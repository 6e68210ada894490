"""What a server says when it is ready: what it serves, on what, and how to talk to it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ferryman_server.config import ServerConfig
from ferryman_server.logs import LogFormat
from ferryman_server.model import Model

_log = logging.getLogger("ferryman.server")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a server is reached, as ``host:port``."""

    address: str
    metrics: str | None = None
    admin: str | None = None
    probe: str | None = None


def announce(
    models: Sequence[Model], config: ServerConfig, places: Places, *, version: str
) -> None:
    """Say that the server is ready, in the words of its log format.

    Args:
        models: What it serves, the default model first.
        config: How it was started.
        places: Where it really listens.
        version: Of ferryman.
    """
    if config.log_format is LogFormat.JSON:
        facts = {
            "version": version,
            "models": [model.full_name for model in models],
            "workers": config.workers,
        }
        _log.info("serving", extra={"facts": facts | asdict(places)})
    else:
        print(welcome(models, config, places, version=version), file=sys.stderr, flush=True)  # noqa: T201


def welcome(models: Sequence[Model], config: ServerConfig, places: Places, *, version: str) -> str:
    """Return the message for people.

    Args:
        models: What the server serves, the default model first.
        config: How it was started.
        places: Where it listens.
        version: Of ferryman.
    """
    model, *others = models
    manifest = model.manifest
    pair = manifest.language_pairs[0]
    usual = type(config).model_fields["address"].default
    server = "" if places.address == usual else f"--server {places.address} "
    rows = [
        ("model", f"{model.full_name}: {manifest.family}, {manifest.parameters / 1e6:.1f} million"),
        ("languages", ", ".join(f"{p.source} to {p.target}" for p in manifest.language_pairs)),
        ("quality", _quality(model)),
        ("and also", ", ".join(other.full_name for other in others)),
        (
            "runs on",
            f"CPU, {_counted(config.workers, 'worker')} of "
            f"{_counted(config.threads, 'thread')}, {config.max_rows} rows each",
        ),
        ("listens on", places.address),
        ("secured by", _security(config)),
        ("health on", places.probe or ""),
        ("admin on", places.admin or ""),
        ("metrics", f"http://{places.metrics}/metrics" if places.metrics else ""),
    ]
    table = "\n".join(f"  {name:<11} {value}" for name, value in rows if value)
    command = f"ferryman translate {server}--from {pair.source} --to {pair.target}"
    return (
        f"ferryman {version} is ready.\n\n{table}\n\n"
        f'  Translate:  {command} "How do I get to the other side?"\n'
        "  Stop:       Ctrl-C\n"
    )


def _security(config: ServerConfig) -> str:
    measures = {
        "TLS": config.tls_certificate,
        "certificates of clients": config.tls_client_ca,
        "API keys": config.keys_file,
    }
    return ", ".join(name for name, setting in measures.items() if setting)


def _quality(model: Model) -> str:
    quality = model.manifest.quality
    if quality is None:
        return ""
    return (
        f"{quality.bleu:.1f} BLEU, {quality.chrf:.1f} chrF on {quality.test_set} "
        f"({quality.sentences} sentences, beam {quality.search.beam_size})"
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
