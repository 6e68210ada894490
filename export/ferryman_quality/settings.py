"""How a system is asked to translate, as the flags of a verb say it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ferryman_quality.errors import SettingError


class Device(StrEnum):
    """What to compute on."""

    AUTO = "auto"
    """What the system would take by itself."""
    CPU = "cpu"
    CUDA = "cuda"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to translate; None leaves it to the system."""

    beam_size: int | None = None
    """1 is greedy search."""
    length_penalty: float | None = None
    workers: int | None = None
    """Of the engine."""
    max_rows: int | None = None
    """Hypotheses that each worker decodes at a time."""
    shortlist: bool | None = None
    """Choose each translation's tokens from a list that its source calls for."""
    device: Device = Device.AUTO
    variant: str | None = None
    """Of a bundle."""


def require_length(what: str, tokens: int, *, most: int) -> None:
    """Refuse a text that is too long to be looked at as a whole.

    Raises:
        SettingError: It is.
    """
    if tokens > most:
        raise SettingError(f"{what}: has {tokens} tokens, but the model takes {most}; shorten it")
