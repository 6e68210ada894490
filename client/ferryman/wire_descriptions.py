"""Between the messages of ferryman.v1 that describe a server and `ferryman.description`."""

from __future__ import annotations

from datetime import UTC

from ferryman import description
from ferryman.v1 import model_pb2, translation_service_pb2


def pair_of(message: model_pb2.LanguagePair) -> description.LanguagePair:
    """Return a language pair."""
    return description.LanguagePair(
        source=message.source_language_code,
        target=message.target_language_code,
        models=tuple(message.models),
    )


def model_of(message: model_pb2.Model) -> description.Model:
    """Return the description of a model."""
    return description.Model(
        name=message.name,
        version=message.version,
        description=message.description,
        license=message.license,
        family=message.family,
        parameters=message.parameters,
        variant=message.variant,
        digest=message.digest,
        ready=message.state == model_pb2.MODEL_STATE_READY,
        default=message.is_default,
        language_pairs=tuple(pair_of(pair) for pair in message.language_pairs),
        max_source_tokens=message.max_source_tokens,
        max_target_tokens=message.max_target_tokens,
        quality=_quality_of(message.quality) if message.HasField("quality") else None,
    )


def _quality_of(message: model_pb2.ModelQuality) -> description.ModelQuality:
    return description.ModelQuality(
        test_set=message.test_set,
        sentences=message.sentences,
        bleu=message.bleu,
        bleu_signature=message.bleu_signature,
        chrf=message.chrf,
        chrf_signature=message.chrf_signature,
        search=message.search,
    )


def info_of(message: translation_service_pb2.GetServerInfoResponse) -> description.ServerInfo:
    """Return the description of a server."""
    started = message.start_time.ToDatetime(UTC) if message.HasField("start_time") else None
    device = message.device
    return description.ServerInfo(
        version=message.version,
        device=description.Device(
            provider=device.provider,
            runtime=device.runtime,
            runtime_version=device.runtime_version,
            workers=device.workers,
            threads_per_worker=device.threads_per_worker,
        ),
        limits=_limits_of(message.limits),
        default_model=message.default_model,
        features=tuple(message.features),
        started=started,
    )


def _limits_of(message: model_pb2.Limits) -> description.Limits:
    """Return limits; 0 means none on the wire, and None here."""
    return description.Limits(
        max_contents=message.max_contents or None,
        max_content_characters=message.max_content_characters or None,
        max_request_bytes=message.max_request_bytes or None,
        max_response_bytes=message.max_response_bytes or None,
        max_beam_size=message.max_beam_size or None,
        max_num_hypotheses=message.max_num_hypotheses or None,
        max_queued_tokens=message.max_queued_tokens or None,
        max_concurrent_calls=message.max_concurrent_calls or None,
    )
