"""From a prepared request to the tasks of its sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ferryman_bundle.manifest import LanguagePair
from ferryman_server.composition import PreparedText
from ferryman_server.decoding import AppliedOptions
from ferryman_server.errors import Fault, InputTooLongError, InvalidRequestError
from ferryman_server.glossary.terms import FoundTerm, find_terms
from ferryman_server.markup.document import Document
from ferryman_server.model import Model
from ferryman_server.request import TranslationRequest
from ferryman_server.rounds.course import Conditions
from ferryman_server.rounds.rounds import Rounds
from ferryman_server.rounds.task import Task
from ferryman_server.text.passage import Passage
from ferryman_server.text.span import Span

_FULL_TAIL: Final = "step_full"
"""The graph that a search takes which must have tokens."""


def plan_rounds(
    request: TranslationRequest,
    prepared: Sequence[PreparedText],
    options: AppliedOptions,
    model: Model,
    languages: LanguagePair,
    *,
    is_final: bool = False,
) -> Rounds:
    """Return the sentences of the texts that can be translated, in order, ready for decoding.

    Args:
        request: What is asked for.
        prepared: Its texts.
        options: How to decode them.
        model: What decodes them, and has the tokens of prefixes and of what is suppressed.
        languages: What the texts are in, and what they are translated into.
        is_final: Whether somebody reads the answer while it is decoded, so that none can follow.

    Raises:
        InvalidRequestError: A prefix is nothing that the model can write.
    """
    prefixes = request.target_prefixes or ("",) * len(prepared)
    for i, prefix in enumerate(prefixes):
        _check_prefix(prefix, i, model)
    tasks = [
        task
        for text, prefix in zip(prepared, prefixes, strict=True)
        if not isinstance(text, InputTooLongError)
        for task in _tasks_of(text, prefix, request, options, model, languages)
    ]
    graphs = model.manifest.variants[model.variant].graphs
    conditions = Conditions(
        can_bind=_FULL_TAIL in graphs, is_final=is_final, second_try=request.text.second_try
    )
    return Rounds(tasks, conditions)


def _tasks_of(
    text: Passage | Document,
    prefix: str,
    request: TranslationRequest,
    options: AppliedOptions,
    model: Model,
    languages: LanguagePair,
) -> Iterator[Task]:
    suppressed = tuple(filter(None, (tuple(model.tokenizer.encode(t)) for t in options.suppress)))
    wholes = text.texts
    for number, sentence in enumerate(text.sentences):
        span = sentence.span
        found = find_terms(span.of(wholes[number]), request.text.glossary, languages.source)
        yield Task(
            passage=wholes[number],
            terms=tuple(
                FoundTerm(one.term, Span(span.start + one.span.start, span.start + one.span.end))
                for one in found
            ),
            text=sentence.span.of(wholes[number]),
            languages=(languages.source, languages.target),
            sentence=sentence,
            number=number,
            options=options,
            model=model,
            prefix="" if number else prefix,
            suppressed=suppressed,
            deadline=request.deadline,
            priority=request.priority,
            client=request.client,
        )


def _check_prefix(prefix: str, index: int, model: Model) -> None:
    ids = model.tokenizer.encode(prefix)
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
