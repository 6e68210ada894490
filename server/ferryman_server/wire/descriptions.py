"""Protobuf messages that tell what the server and its models are."""

from __future__ import annotations

import datetime

from google.protobuf import timestamp_pb2

from ferryman.v1 import model_pb2, options_pb2, translation_service_pb2
from ferryman_bundle.manifest import Manifest
from ferryman_server.catalogue import Catalogue
from ferryman_server.description import Device, ServerDescription
from ferryman_server.limits import Limits
from ferryman_server.model import Model
from ferryman_server.wire.requests import FEATURES, NEED_WHOLE_DISTRIBUTION


def server_info(
    description: ServerDescription, catalogue: Catalogue, limits: Limits
) -> translation_service_pb2.GetServerInfoResponse:
    """Describe a server."""
    start_time = timestamp_pb2.Timestamp()
    start_time.FromDatetime(description.started.astimezone(datetime.UTC))
    return translation_service_pb2.GetServerInfoResponse(
        version=description.version,
        device=_device(description.device),
        limits=_limits(limits),
        default_model=catalogue.default.full_name,
        features=FEATURES,
        start_time=start_time,
    )


def model_message(
    model: Model,
    catalogue: Catalogue,
    state: model_pb2.ModelState = model_pb2.MODEL_STATE_READY,
    why: str = "",
) -> model_pb2.Model:
    """Describe a model.

    Args:
        model: The model.
        catalogue: Where it is, or was.
        state: Whether it can be used.
        why: What there is to say about its state.
    """
    manifest = model.manifest
    message = model_pb2.Model(
        name=manifest.name,
        version=manifest.version,
        description=manifest.description,
        license=manifest.licence,
        family=manifest.family,
        parameters=manifest.parameters,
        variant=model.variant,
        digest=model.digest,
        state=state,
        state_message=why,
        is_default=model is catalogue.default,
        is_current=catalogue.is_current(model),
        features=_features(model),
        language_pairs=[
            model_pb2.LanguagePair(
                source_language_code=pair.source, target_language_code=pair.target
            )
            for pair in manifest.language_pairs
        ],
        # The contract counts the end of the sentence, the manifest does not.
        max_source_tokens=manifest.limits.max_source_tokens + 1,
        max_target_tokens=manifest.limits.max_target_tokens + 1,
        default_decoding=_default_decoding(manifest),
    )
    if manifest.quality is not None:
        message.quality.CopyFrom(_quality(manifest))
    return message


def language_pairs(catalogue: Catalogue) -> list[model_pb2.LanguagePair]:
    """Return every pair that the server translates, sorted by language, with how it does so."""
    by_pair: dict[tuple[str, str], list[str]] = {}
    for model in catalogue.models:
        for pair in model.manifest.language_pairs:
            by_pair.setdefault((pair.source, pair.target), []).append(model.full_name)
    pairs = []
    for route in catalogue.routes():
        legs, pair = route.legs, route.pair
        is_direct = len(legs) == 1
        pairs.append(
            model_pb2.LanguagePair(
                source_language_code=pair.source,
                target_language_code=pair.target,
                models=by_pair[pair.source, pair.target]
                if is_direct
                else [leg.model.full_name for leg in legs],
                route=() if is_direct else route.codes,
            )
        )
    return pairs


def pairs_of(model: Model) -> list[model_pb2.LanguagePair]:
    """Return the pairs of one model, sorted by language."""
    pairs = sorted((pair.source, pair.target) for pair in model.manifest.language_pairs)
    return [
        model_pb2.LanguagePair(
            source_language_code=source, target_language_code=target, models=[model.full_name]
        )
        for source, target in pairs
    ]


def _default_decoding(manifest: Manifest) -> options_pb2.DecodingOptions:
    generation = manifest.generation
    return options_pb2.DecodingOptions(
        beam_size=generation.beam_size,
        num_hypotheses=1,
        length_penalty=generation.length_penalty,
        length_penalty_kind=options_pb2.LENGTH_PENALTY_KIND_EXPONENT,
        max_tokens=manifest.limits.max_target_tokens,
        max_length_ratio=generation.max_length_ratio,
        max_length_offset=generation.max_length_offset,
        forbid_unknown=True,
    )


def _features(model: Model) -> list[str]:
    """Return what a model supports of what the server does."""
    graphs = model.manifest.variants[model.variant].graphs
    lacking = set()
    if model.scorer is None or not model.has_attention:
        lacking |= {"output.alignments", "output.attention", "decoding.coverage_penalty"}
    if "step_full" not in graphs:
        lacking |= NEED_WHOLE_DISTRIBUTION
    return [feature for feature in FEATURES if feature not in lacking]


def _quality(manifest: Manifest) -> model_pb2.ModelQuality:
    quality = manifest.quality
    assert quality is not None
    return model_pb2.ModelQuality(
        test_set=quality.test_set,
        sentences=quality.sentences,
        bleu=quality.bleu,
        bleu_signature=quality.bleu_signature,
        chrf=quality.chrf,
        chrf_signature=quality.chrf_signature,
        search=f"beam {quality.search.beam_size}",
    )


def _device(device: Device) -> model_pb2.Device:
    return model_pb2.Device(
        provider=device.provider,
        runtime=device.runtime,
        runtime_version=device.runtime_version,
        workers=device.workers,
        threads_per_worker=device.threads_per_worker,
    )


def _limits(limits: Limits) -> model_pb2.Limits:
    return model_pb2.Limits(
        max_contents=limits.max_texts,
        max_content_characters=limits.max_text_characters,
        max_request_bytes=limits.max_request_bytes,
        max_response_bytes=limits.max_response_bytes,
        max_beam_size=limits.max_beam_size,
        max_num_hypotheses=limits.max_num_hypotheses,
        max_queued_tokens=limits.max_queued_tokens,
        max_concurrent_calls=limits.max_concurrent_calls,
        max_batch_items=limits.max_batch_items,
        max_attention_weights=limits.max_attention_weights,
        max_glossary_entries=limits.max_glossary_entries,
        max_protected_phrases=limits.max_protected_phrases,
    )
