"""Isolation: one text that a server refuses must not take its whole chunk with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from ferryman.errors import (
    FerrymanError,
    InvalidRequestError,
    ServerError,
    UnsupportedLanguagePairError,
)
from ferryman.results import Translation

Translate = Callable[[Sequence[str]], Awaitable[Sequence[Translation]]]
"""Translates texts; a translation for each, in their order."""

Outcome = Translation | FerrymanError
"""What became of a text."""


async def translate_isolating(translate: Translate, texts: Sequence[str]) -> list[Outcome]:
    """Translate texts; where all of them fail together, find out which of them is to blame.

    Raises:
        FerrymanError: It is not one of the texts: none of several could be translated, or the fault
            has nothing to do with texts, as when no server answers.
    """
    try:
        return [each.error or each for each in await translate(texts)] if texts else []
    except UnsupportedLanguagePairError:
        raise
    except (InvalidRequestError, ServerError) as error:
        if len(texts) == 1:
            return [error.with_texts_named(lambda _: "the text")]
        outcomes = await _halves(translate, texts)
        if all(isinstance(outcome, FerrymanError) for outcome in outcomes):
            raise
        return outcomes


async def _halves(translate: Translate, texts: Sequence[str]) -> list[Outcome]:
    """Divide until a fault stands alone, so that one among 64 costs 12 more requests, not 64."""
    outcomes: list[Outcome] = []
    middle = len(texts) // 2
    for part in (texts[:middle], texts[middle:]):
        try:
            outcomes += [each.error or each for each in await translate(part)]
        except (InvalidRequestError, ServerError) as error:
            if len(part) == 1:
                outcomes.append(error.with_texts_named(lambda _: "the text"))
            else:
                outcomes += await _halves(translate, part)
    return outcomes
