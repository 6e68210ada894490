"""How a request wants its texts treated, out of its message."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from ferryman.v1 import options_pb2, translation_service_pb2
from ferryman_server.glossary.terms import Glossary, Term
from ferryman_server.limits import Limits
from ferryman_server.protection.detection import PatternError, ProtectionOptions, check_pattern
from ferryman_server.text.passage import LongInput, TextForm, TextOptions
from ferryman_server.wire.faults import Faults

_MOST_CHARACTERS: Final = 1000
"""Of one phrase or pattern."""
_ATTRIBUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9:_.-]{0,99}\Z")
_FORMS: Final[Mapping[str, TextForm]] = {
    "text/html": TextForm.HTML,
    "text/markdown": TextForm.MARKDOWN,
}
_LONG_INPUT: Final[Mapping[int, LongInput]] = {
    options_pb2.LONG_INPUT_POLICY_UNSPECIFIED: LongInput.SPLIT,
    options_pb2.LONG_INPUT_POLICY_SPLIT: LongInput.SPLIT,
    options_pb2.LONG_INPUT_POLICY_TRUNCATE: LongInput.TRUNCATE,
    options_pb2.LONG_INPUT_POLICY_ERROR: LongInput.ERROR,
}


def parse_text_options(
    message: translation_service_pb2.TranslateTextRequest, limits: Limits, faults: Faults
) -> TextOptions:
    """Return how to treat the texts of a request.

    Args:
        message: The request.
        limits: What the server takes.
        faults: Takes what is wrong.
    """
    text = message.text
    form = _FORMS.get(message.mime_type, TextForm.PLAIN)
    attributes = _bounded(text.translated_attributes, "text.translated_attributes", limits, faults)
    if attributes and form is not TextForm.HTML:
        faults.invalid("text.translated_attributes", "needs the mime_type text/html")
    for i, name in enumerate(attributes):
        if not _ATTRIBUTE.match(name):
            faults.invalid(
                f"text.translated_attributes[{i}]", f"must be a name as 'alt', but is {name!r}"
            )
    if text.long_input not in _LONG_INPUT:
        faults.unavailable("text.long_input")
    return TextOptions(
        form=form,
        attributes=attributes,
        split_sentences=not text.HasField("split_sentences") or text.split_sentences,
        keep_newlines=not text.HasField("keep_newlines") or text.keep_newlines,
        long_input=_LONG_INPUT.get(text.long_input, LongInput.SPLIT),
        protection=_protection(message, limits, faults),
        glossary=_glossary(message.glossary_config, limits, faults),
        second_try=not text.HasField("second_try") or text.second_try,
    )


def _glossary(message: options_pb2.GlossaryConfig, limits: Limits, faults: Faults) -> Glossary:
    for name in ("glossary", "bias"):
        if getattr(message, name):
            faults.unavailable(f"glossary_config.{name}")
    if message.mode not in (
        options_pb2.GLOSSARY_MODE_UNSPECIFIED,
        options_pb2.GLOSSARY_MODE_FORCE,
    ):
        faults.unavailable("glossary_config.mode")
    most = limits.max_glossary_entries
    if len(message.entries) > most:
        faults.invalid(
            "glossary_config.entries", f"must be at most {most}, but are {len(message.entries)}"
        )
    for i, entry in enumerate(message.entries):
        for name in ("source", "target"):
            value = getattr(entry, name)
            if not value.strip() or len(value) > _MOST_CHARACTERS:
                faults.invalid(
                    f"glossary_config.entries[{i}].{name}",
                    f"must have 1 to {_MOST_CHARACTERS} characters, and more than white space",
                )
    return Glossary(
        terms=tuple(Term(entry.source, entry.target) for entry in message.entries),
        ignore_case=message.ignore_case,
        match_inflections=not message.HasField("match_inflections") or message.match_inflections,
    )


def _protection(
    message: translation_service_pb2.TranslateTextRequest, limits: Limits, faults: Faults
) -> ProtectionOptions:
    text = message.text
    patterns = _bounded(text.placeholder_patterns, "text.placeholder_patterns", limits, faults)
    phrases = _bounded(message.do_not_translate, "do_not_translate", limits, faults)
    for i, pattern in enumerate(patterns):
        try:
            check_pattern(pattern)
        except PatternError as error:
            faults.invalid(f"text.placeholder_patterns[{i}]", str(error))
    for i, phrase in enumerate(phrases):
        if not phrase.strip():
            faults.invalid(f"do_not_translate[{i}]", "must have more in it than white space")
    return ProtectionOptions(
        by_looks=not text.HasField("protect_spans") or text.protect_spans,
        patterns=patterns,
        phrases=phrases,
    )


def _bounded(values: Sequence[str], path: str, limits: Limits, faults: Faults) -> tuple[str, ...]:
    """Return values, unless there are too many or one is too long."""
    most = limits.max_protected_phrases
    if len(values) > most:
        faults.invalid(path, f"must be at most {most}, but are {len(values)}")
        return ()
    for i, value in enumerate(values):
        if len(value) > _MOST_CHARACTERS:
            faults.invalid(
                f"{path}[{i}]",
                f"must have at most {_MOST_CHARACTERS} characters, but has {len(value)}",
            )
    return tuple(value for value in values if len(value) <= _MOST_CHARACTERS)
