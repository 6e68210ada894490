"""From a prepared request to the engine's jobs: one for each sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ferryman_server.composition import PreparedText
from ferryman_server.decoding import AppliedOptions
from ferryman_server.engine import Job
from ferryman_server.errors import Fault, InvalidRequestError
from ferryman_server.model import Model
from ferryman_server.request import TranslationRequest
from ferryman_server.text.passage import Passage

Ids = tuple[int, ...]


def make_jobs(
    request: TranslationRequest,
    prepared: Sequence[PreparedText],
    options: AppliedOptions,
    model: Model,
) -> list[Job]:
    """Return a job for each sentence of the texts that can be translated, in order.

    Args:
        request: What is asked for.
        prepared: Its texts.
        options: How to decode them.
        model: What decodes them, and has the tokens of prefixes and of what is suppressed.

    Raises:
        InvalidRequestError: A prefix is nothing that the model can write.
    """
    suppressed = tuple(filter(None, (tuple(model.tokenizer.encode(t)) for t in options.suppress)))
    prefixes = request.target_prefixes or ("",) * len(prepared)
    starts = [_prefix_tokens(prefix, i, model) for i, prefix in enumerate(prefixes)]
    return [
        job
        for text, prefix in zip(prepared, starts, strict=True)
        if isinstance(text, Passage)
        for job in _jobs_of(text, prefix, suppressed, options, request)
    ]


def _jobs_of(
    text: Passage,
    prefix: Ids,
    suppressed: tuple[Ids, ...],
    options: AppliedOptions,
    request: TranslationRequest,
) -> Iterator[Job]:
    for number, sentence in enumerate(text.sentences):
        search = options.search(
            len(sentence.tokens),
            number=number,
            prefix=() if number else prefix,
            suppressed=suppressed,
        )
        yield Job(
            source=sentence.tokens,
            search=search,
            deadline=request.deadline,
            priority=request.priority,
            client=request.client,
        )


def _prefix_tokens(prefix: str, index: int, model: Model) -> Ids:
    ids = tuple(model.tokenizer.encode(prefix))
    manifest = model.manifest
    faults = []
    if not set(ids).isdisjoint(manifest.tokens.never_generated):
        faults.append("has characters that the model cannot write")
    if len(ids) >= manifest.limits.max_target_tokens:
        faults.append(
            f"must have fewer than the {manifest.limits.max_target_tokens} tokens that the model "
            f"writes at most, but has {len(ids)}"
        )
    if faults:
        raise InvalidRequestError([Fault(f"target_prefixes[{index}]", "; ".join(faults))])
    return ids
