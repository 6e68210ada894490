"""What `ferryman translate` prints: results for stdout, notes and explanations for stderr."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from ferryman.errors import (
    DeadlineError,
    FerrymanError,
    OverloadedError,
    ServerError,
    UnavailableError,
)
from ferryman.results import Translation

Render = Callable[[Translation], str]
"""Makes one line of output of a translation."""


def plain_line(translation: Translation) -> str:
    """Return the translated text as one line; an empty one where there is no translation."""
    if translation.error is not None:
        return ""
    return translation.text.replace("\r", " ").replace("\n", " ")


def json_line(translation: Translation) -> str:
    """Return a translation as one line of JSON."""
    error, best = translation.error, None if translation.error else translation.best
    fields = {
        "source": translation.source,
        "text": best and best.text,
        "score": best and best.score,
        "log_prob": best and best.log_prob,
        "finish_reason": best and best.finish_reason,
        "model": translation.model,
        "source_language": translation.source_language,
        "target_language": translation.target_language,
        "warnings": [
            {"code": warning.code, "message": warning.message, "span": warning.span}
            for warning in translation.warnings
        ],
        "error": error
        and {"status": error.status, "reason": error.reason, "message": error.message},
    }
    return json.dumps(fields, ensure_ascii=False)


def notes_on(translation: Translation) -> Iterator[str]:
    """Yield what the reader of a translation should know."""
    if translation.error is not None:
        yield f"no translation: {translation.error}"
    for warning in translation.warnings:
        yield f"warning: {warning.message}"


def explained(error: FerrymanError) -> str:
    """Return the message of an error, and what to do about it where that can be said."""
    message = error.message
    missing = [name for name in error.available if name not in message]
    if missing:
        message += f"\nThis server has: {', '.join(error.available)}."
    match error:
        case UnavailableError() if not error.request_id:  # no server had a hand in it
            message += "\nStart one with `ferryman serve`, or name another with --server."
        case OverloadedError() if error.retry_after is not None:
            message += f"\nTry again in {error.retry_after:.1f} s, or allow more with --timeout."
        case DeadlineError():
            message += "\nAllow more time with --timeout, or send less at once."
        case ServerError() if error.request_id:
            message += f"\nThe server's log tells more about request {error.request_id}."
    return message
