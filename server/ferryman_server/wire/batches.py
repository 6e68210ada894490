"""The messages of a batch: how to translate comes first, then text after text."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, replace

from ferryman.v1 import translation_service_pb2
from ferryman_server.batch_stream import BatchOutcome, BatchText
from ferryman_server.errors import Fault, InvalidRequestError, ServiceError
from ferryman_server.limits import Limits
from ferryman_server.request import TranslationRequest
from ferryman_server.translation import TranslationResult
from ferryman_server.translator import Plan
from ferryman_server.wire.requests import OutputOptions, parse_translation_request
from ferryman_server.wire.responses import (
    decoding_message,
    error_translation,
    translation_message,
    usage_message,
)

Requests = AsyncIterator[translation_service_pb2.TranslateBatchRequest]


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """How all texts of a batch are translated."""

    message: translation_service_pb2.TranslateTextRequest
    """As it came, but with a blank text in it."""
    request: TranslationRequest
    """The same, taken out of the message."""
    output: OutputOptions
    limits: Limits

    @classmethod
    async def read(
        cls, requests: Requests, limits: Limits, *, deadline: float | None
    ) -> BatchSettings:
        """Read the first message of a stream.

        Args:
            requests: The stream.
            limits: What the server takes.
            deadline: The transport's, on `time.monotonic`'s clock.

        Raises:
            InvalidRequestError, InputTooLongError, FeatureUnavailableError: With all its faults.
        """
        first = await anext(requests, None)
        if first is None or first.WhichOneof("message") != "config":
            raise InvalidRequestError([Fault("config", "must be in the first message of a stream")])
        faults = [
            Fault(f"config.{name}", "must be empty: texts come as items")
            for name in ("contents", "target_prefixes")
            if getattr(first.config, name)
        ]
        if faults:
            raise InvalidRequestError(faults)
        first.config.contents.append("")
        request, output = parse_translation_request(first.config, limits, deadline=deadline)
        return cls(first.config, request, output, limits)

    def with_plan(self, plan: Plan) -> BatchSettings:
        """Return settings in which what the server chose for the first text is chosen for all."""
        sampling = self.request.decoding.sampling
        if sampling is None or plan.options.sampling is None:
            return self
        seed = plan.options.sampling.seed
        decoding = replace(self.request.decoding, sampling=replace(sampling, seed=seed))
        return replace(self, request=replace(self.request, decoding=decoding))

    async def texts(self, requests: Requests) -> AsyncGenerator[BatchText, None]:
        """Yield the texts of the messages after the first.

        Raises:
            InvalidRequestError: A message has no text.
        """
        async for request in requests:
            if request.WhichOneof("message") != "item":
                fault = Fault("item", "must be in every message of a stream but the first")
                raise InvalidRequestError([fault])
            yield BatchText(id=request.item.id, request=self._request(request.item))

    def _request(
        self, item: translation_service_pb2.BatchItem
    ) -> TranslationRequest | ServiceError:
        longest = max(len(item.content), len(item.target_prefix))
        prefixes = (item.target_prefix,) if item.target_prefix else ()
        if not item.HasField("decoding") and longest <= self.limits.max_text_characters:
            # Everything else was checked once for all texts.
            return replace(self.request, texts=(item.content,), target_prefixes=prefixes)
        message = translation_service_pb2.TranslateTextRequest()
        message.CopyFrom(self.message)
        message.contents[:] = [item.content]
        message.target_prefixes[:] = prefixes
        if item.HasField("decoding"):
            message.decoding.CopyFrom(item.decoding)
        try:
            request, _ = parse_translation_request(
                message, self.limits, deadline=self.request.deadline
            )
        except ServiceError as error:
            return error
        return request


def started_response(
    plan: Plan, limits: Limits, request_id: str
) -> translation_service_pb2.TranslateBatchResponse:
    """Return the message that begins the answers."""
    return translation_service_pb2.TranslateBatchResponse(
        started=translation_service_pb2.BatchStarted(
            request_id=request_id,
            model=plan.route.full_name,
            model_digest=plan.route.digest,
            decoding=decoding_message(plan.options),
            source_language_code=plan.route.pair.source,
            target_language_code=plan.route.pair.target,
            max_items=limits.max_batch_items,
        )
    )


def outcome_response(
    outcome: BatchOutcome, output: OutputOptions, request_id: str
) -> translation_service_pb2.TranslateBatchResponse:
    """Return the message for one text."""
    result = translation_service_pb2.BatchResult(id=outcome.id)
    if isinstance(outcome.answer, TranslationResult):
        (text,) = outcome.answer.texts
        result.translation.CopyFrom(translation_message(text, output, request_id))
        result.model = outcome.answer.model
        result.usage.CopyFrom(usage_message(outcome.answer.work))
    else:
        result.translation.CopyFrom(error_translation(outcome.answer, request_id))
    return translation_service_pb2.TranslateBatchResponse(result=result)
