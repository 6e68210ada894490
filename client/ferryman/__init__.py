"""ferryman: translate text with a ferryman server.

>>> from ferryman import Beam, Client
>>> with Client("127.0.0.1:50051") as client:
...     client.translate("The ferry leaves at noon.", target="fr", search=Beam(4)).text
'Le bac part à midi.'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ferryman.channel import Tls
from ferryman.description import Device, LanguagePair, Limits, Model, ModelQuality, ServerInfo
from ferryman.errors import (
    AccessError,
    DeadlineError,
    ErrorDetails,
    FerrymanError,
    FieldViolation,
    InputTooLongError,
    InvalidRequestError,
    ModelNotFoundError,
    NotFoundError,
    OverloadedError,
    RequestCancelledError,
    ServerError,
    UnavailableError,
    UnsupportedError,
    UnsupportedLanguagePairError,
)
from ferryman.options import Output, TranslateOptions
from ferryman.results import (
    Alignment,
    FinishReason,
    Hypothesis,
    Sentence,
    Span,
    Token,
    Translation,
    TranslationScore,
    TranslationWarning,
)
from ferryman.retry import Retry
from ferryman.search import Beam, Greedy, LengthPenalty, Sampling, Search

if TYPE_CHECKING:
    from ferryman.async_client import AsyncClient
    from ferryman.client import Client

__all__ = [
    "AccessError",
    "Alignment",
    "AsyncClient",
    "Beam",
    "Client",
    "DeadlineError",
    "Device",
    "ErrorDetails",
    "FerrymanError",
    "FieldViolation",
    "FinishReason",
    "Greedy",
    "Hypothesis",
    "InputTooLongError",
    "InvalidRequestError",
    "LanguagePair",
    "LengthPenalty",
    "Limits",
    "Model",
    "ModelNotFoundError",
    "ModelQuality",
    "NotFoundError",
    "Output",
    "OverloadedError",
    "RequestCancelledError",
    "Retry",
    "Sampling",
    "Search",
    "Sentence",
    "ServerError",
    "ServerInfo",
    "Span",
    "Tls",
    "Token",
    "TranslateOptions",
    "Translation",
    "TranslationScore",
    "TranslationWarning",
    "UnavailableError",
    "UnsupportedError",
    "UnsupportedLanguagePairError",
]

# The clients load gRPC, which takes longer than everything else here together: whoever wants
# `ferryman --help`, or a type, need not wait for it.
_LOADED_WHEN_USED = {"AsyncClient": "ferryman.async_client", "Client": "ferryman.client"}


def __getattr__(name: str) -> object:
    if name not in _LOADED_WHEN_USED:
        raise AttributeError(f"module 'ferryman' has no attribute {name!r}")
    return getattr(import_module(_LOADED_WHEN_USED[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
