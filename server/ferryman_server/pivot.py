"""A translation over a third language: two models, one after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ferryman_server.annotation import Detail
from ferryman_server.catalogue import Route
from ferryman_server.errors import Fault, FeatureUnavailableError
from ferryman_server.request import DecodingOptions, TranslationRequest
from ferryman_server.text.span import Span
from ferryman_server.translation import (
    TextTranslation,
    TranslationResult,
    TranslationWarning,
    Work,
)


@dataclass(frozen=True, slots=True)
class Pivot:
    """How a request is translated over a third language.

    The options of the request are those of the last model, which writes the answer; the first one
    searches by its own defaults for the single best translation.

    Args:
        request: What is asked for.
        route: Of two legs.
    """

    request: TranslationRequest
    route: Route

    def check(self) -> None:
        """Refuse what would be about the text in between, which nobody sees.

        Raises:
            FeatureUnavailableError: With each field that asks for it.
        """
        over = " over ".join(
            (f"{self.route.codes[0]} to {self.route.codes[-1]}", self.route.codes[1])
        )
        faults = [
            Fault(f"output.{name}", f"is not available from {over}")
            for name in ("tokens", "alignments", "attention", "sentences")
            if getattr(self.request.detail, name)
        ]
        if faults:
            raise FeatureUnavailableError(faults)

    @property
    def first(self) -> Route:
        """Into the third language."""
        assert self.route.before is not None
        return self.route.before

    @property
    def second(self) -> Route:
        """Out of it."""
        return replace(self.route, before=None)

    @property
    def first_request(self) -> TranslationRequest:
        """What is asked of the first model."""
        return replace(
            self.request,
            decoding=DecodingOptions(),
            target_prefixes=(),
            alternatives=0,
            detail=Detail(),
        )

    def second_request(self, first: TranslationResult) -> TranslationRequest:
        """Return what is asked of the second model.

        Args:
            first: What the first one answered. What it could not translate is a blank text here.
        """
        texts = tuple(text.hypotheses[0].text if text.hypotheses else "" for text in first.texts)
        return replace(self.request, texts=texts)

    def combined(self, first: TranslationResult, second: TranslationResult) -> TranslationResult:
        """Return the answer to the request."""
        texts = zip(self.request.texts, first.texts, second.texts, strict=True)
        return replace(
            second,
            texts=tuple(self._text(source, before, after) for source, before, after in texts),
            model=self.route.full_name,
            model_digest=self.route.digest,
            languages=self.route.pair,
            work=_together(first.work, second.work),
        )

    def _text(
        self, source: str, before: TextTranslation, after: TextTranslation
    ) -> TextTranslation:
        if before.error is not None:
            return before
        whole = Span(0, len(source))
        # What the second model warns of is a part of a text that nobody sees.
        later = dict.fromkeys(TranslationWarning(w.kind, whole) for w in after.warnings)
        return replace(
            after,
            warnings=(*before.warnings, *later),
            route=self.route.codes,
            is_piecewise=before.is_piecewise or after.is_piecewise,
            is_second=before.is_second or after.is_second,
        )


def _together(first: Work, second: Work) -> Work:
    return Work(
        characters=first.characters,
        sentences=first.sentences + second.sentences,
        source_tokens=first.source_tokens + second.source_tokens,
        target_tokens=second.target_tokens,
        preparation_seconds=first.preparation_seconds + second.preparation_seconds,
        queue_seconds=first.queue_seconds + second.queue_seconds,
        decode_seconds=first.decode_seconds + second.decode_seconds,
    )
