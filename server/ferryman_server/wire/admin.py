"""The messages of the admin service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from google.protobuf import duration_pb2, message

from ferryman.v1 import admin_service_pb2, model_pb2
from ferryman_server.catalogue import Catalogue
from ferryman_server.errors import Fault, InvalidRequestError
from ferryman_server.fleet import Change, State, Status
from ferryman_server.model import Model
from ferryman_server.request import TranslationRequest
from ferryman_server.translator import Translator
from ferryman_server.wire.descriptions import model_message

_MOST_SENTENCES: Final = 1024
_STATE: Final[Mapping[State, model_pb2.ModelState]] = {
    State.LOADING: model_pb2.MODEL_STATE_LOADING,
    State.READY: model_pb2.MODEL_STATE_READY,
    State.DRAINING: model_pb2.MODEL_STATE_DRAINING,
    State.FAILED: model_pb2.MODEL_STATE_FAILED,
}


def seconds_of(request: message.Message, field: str) -> float | None:
    """Return a duration of a request; None where it is not set.

    Raises:
        InvalidRequestError: It is negative, or more than a day.
    """
    if not request.HasField(field):
        return None
    duration: duration_pb2.Duration = getattr(request, field)
    seconds = duration.seconds + duration.nanos / 1e9
    if not 0 <= seconds <= 86400:
        raise InvalidRequestError(
            [Fault(field, f"must be from 0 s to 86400 s, but is {seconds} s")]
        )
    return seconds


def load_response(
    change: Change, catalogue: Catalogue, seconds: float
) -> admin_service_pb2.LoadModelResponse:
    """Return the response to a request to load a bundle."""
    duration = duration_pb2.Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return admin_service_pb2.LoadModelResponse(
        model=model_message(change.model, catalogue),
        load_duration=duration,
        previous_model=change.previous,
    )


def change_response(
    change: Change, catalogue: Catalogue
) -> admin_service_pb2.SetDefaultModelResponse:
    """Return the response to a request to let a name stand for a version."""
    return admin_service_pb2.SetDefaultModelResponse(
        model=model_message(change.model, catalogue),
        previous_model=change.previous,
        previous_default_model=change.previous_default,
    )


def models_response(
    statuses: Sequence[Status], catalogue: Catalogue
) -> admin_service_pb2.WatchModelsResponse:
    """Return the message that tells all models at one moment."""
    return admin_service_pb2.WatchModelsResponse(
        models=[
            model_pb2.Model(
                name=status.bundle, state=_STATE[status.state], state_message=status.why
            )
            if status.model is None
            else model_message(status.model, catalogue, _STATE[status.state], status.why)
            for status in statuses
        ]
    )


def parse_verification(request: admin_service_pb2.VerifyModelRequest) -> tuple[str, ...]:
    """Return the sentences on which two models are to be compared.

    Raises:
        InvalidRequestError: There are too many, or there is nothing to compare with.
    """
    faults = []
    if len(request.contents) > _MOST_SENTENCES:
        count = len(request.contents)
        faults.append(Fault("contents", f"must be at most {_MOST_SENTENCES}, but are {count}"))
    if request.contents and not request.against_model:
        faults.append(Fault("against_model", "must be set where there are sentences to compare on"))
    if faults:
        raise InvalidRequestError(faults)
    return tuple(request.contents)


async def differences(
    translator: Translator, texts: tuple[str, ...], model: Model, other: Model
) -> list[admin_service_pb2.TranslationDifference]:
    """Return what two models translate differently."""
    found = [
        [
            text.hypotheses[0].text if text.hypotheses else str(text.error)
            for text in (
                await translator.translate(TranslationRequest(texts=texts, model=one.full_name))
            ).texts
        ]
        for one in (model, other)
    ]
    return [
        admin_service_pb2.TranslationDifference(
            content=content, translated_text=mine, against_text=theirs
        )
        for content, mine, theirs in zip(texts, *found, strict=True)
        if mine != theirs
    ]
