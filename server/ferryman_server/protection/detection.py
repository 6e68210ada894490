"""Finding the protected spans of a text."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import re2

from ferryman_server.protection.kinds import BY_POSITION, EXPRESSIONS, ORDERED, TRIGGER, Kind
from ferryman_server.text.span import Span, overlapping

_LOOKS: Final = re.compile("|".join(f"(?P<{kind}>{body})" for kind, body in EXPRESSIONS))
_JOINT: Final = re.compile(r"[^\w\s<>]{0,3}")
"""What may stand between two spans that are carried as one, as in ``%s:%d``."""
_SENTENCE_END: Final = frozenset(".,;:!?'")
_BRACKETS: Final = {")": "(", "]": "["}
_MEMORY: Final = 1 << 20
"""Bytes that one expression of a caller may take; RE2 refuses those that need more."""
_PHRASES_MEMORY: Final = 1 << 27
"""Bytes that all phrases of a caller together may take."""
_DEEPEST: Final = 20
"""Braces within braces that are looked into."""


class PatternError(ValueError):
    """A regular expression that RE2 does not take, with the reason."""


@dataclass(frozen=True, slots=True)
class Protected:
    """A part of a text that a translation must have as it is."""

    span: Span
    kind: Kind
    is_ordered: bool = False
    """Whether it must keep its place among others of its kind."""
    replacement: str | None = None
    """What a translation has in its place; None for itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionOptions:
    """What is protected in a text."""

    by_looks: bool = True
    """Whatever looks like a placeholder, an address, a path, code or a quantity."""
    patterns: tuple[str, ...] = ()
    """Regular expressions of RE2, whose matches are protected."""
    phrases: tuple[str, ...] = ()
    """Words and phrases that are protected wherever they occur as whole words."""


def check_pattern(pattern: str) -> None:
    """Refuse a regular expression that cannot be used.

    Raises:
        PatternError: RE2 does not take it, or it matches nothing at all.
    """
    try:
        compiled = _compiled(pattern)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise PatternError(f"must be a regular expression of RE2 ({text})") from error
    if compiled.match("") is not None:
        raise PatternError("must not match the empty text")


def find_protected(
    text: str, options: ProtectionOptions, known: Sequence[Protected] = ()
) -> tuple[Protected, ...]:
    """Return the protected spans of a text, in order, none of which overlap.

    What the caller names goes before what is recognised by its looks, and of two that overlap
    otherwise the one that begins first is taken, then the longer one.

    Args:
        text: Any text.
        options: What to protect; its patterns are known to be sound.
        known: Parts that are protected whatever else is, in order.
    """
    named = list(known)
    if options.phrases or options.patterns:
        found = [*_phrases(text, options.phrases), *_matches(text, options.patterns)]
        named += [one for one in found if not _overlaps(one, known)]
        named = _chosen(named)
    if not options.by_looks or TRIGGER.search(text) is None:
        return tuple(named)
    looks = _chosen(_by_looks(text))
    return tuple(_chosen([*named, *(one for one in looks if not _overlaps(one, named))]))


def joined(text: str, protected: Sequence[Protected]) -> Iterator[Protected]:
    """Yield protected spans with those made one that only punctuation keeps apart.

    A model has less to keep in order, and ``%d%%`` stays together. Tags stay single, since what is
    between them may move.
    """
    last: Protected | None = None
    for one in protected:
        if last is not None and _belong_together(text, last, one):
            is_ordered = last.is_ordered or one.is_ordered
            last = Protected(Span(last.span.start, one.span.end), last.kind, is_ordered)
            continue
        if last is not None:
            yield last
        last = one
    if last is not None:
        yield last


def _belong_together(text: str, left: Protected, right: Protected) -> bool:
    if {Kind.TAG, Kind.MARKUP, Kind.TERM} & {left.kind, right.kind}:
        return False
    return _JOINT.fullmatch(text, left.span.end, right.span.start) is not None


@functools.lru_cache(maxsize=256)
def _compiled(pattern: str) -> re2._Regexp:
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    return re2.compile(pattern, options)


def _matches(text: str, patterns: Sequence[str]) -> Iterator[Protected]:
    text = _encodable(text)
    for pattern in patterns:
        for match in _compiled(pattern).finditer(text):
            if match.end() > match.start():
                yield Protected(Span(match.start(), match.end()), Kind.PATTERN)


def _phrases(text: str, phrases: tuple[str, ...]) -> Iterator[Protected]:
    known = set(phrases)
    for match in _any_of(phrases).finditer(_encodable(text)):
        longest = text[match.start() : match.end()]
        # The longest may go on as another word where a shorter one does not.
        for length in range(len(longest), 0, -1):
            span = Span(match.start(), match.start() + length)
            if longest[:length] in known and _is_whole(text, span):
                yield Protected(span, Kind.PHRASE)
                break


def _encodable(text: str) -> str:
    """Return a text with a question mark for each lone surrogate, at the same offsets."""
    return text.encode("utf-8", "replace").decode("utf-8")


@functools.lru_cache(maxsize=64)
def _any_of(phrases: tuple[str, ...]) -> re2._Regexp:
    """Return what finds the longest of any phrases, in time linear in the text."""
    options = re2.Options()
    options.max_mem = _PHRASES_MEMORY
    options.log_errors = False
    options.longest_match = True
    return re2.compile("|".join(map(re2.escape, filter(None, phrases))) or "$^", options)


def _is_whole(text: str, span: Span) -> bool:
    """Tell whether a span is no part of longer words."""
    return not (_are_one_word(text, span.start) or _are_one_word(text, span.end))


def _are_one_word(text: str, place: int) -> bool:
    """Tell whether the code points before and after an offset belong to one word."""
    return 0 < place < len(text) and all(
        c.isalnum() or c == "_" for c in text[place - 1 : place + 1]
    )


def _by_looks(text: str) -> Iterator[Protected]:
    place = 0
    while match := _LOOKS.search(text, place):
        assert match.lastgroup is not None
        kind, span = Kind(match.lastgroup), Span(*match.span())
        if kind in (Kind.URL, Kind.PATH, Kind.EMAIL):
            span = Span(span.start, _without_sentence_end(text, span))
        elif kind is Kind.BRACES:
            span = Span(span.start, _closing_brace(text, span))
        place = max(span.end, match.start() + 1)
        found = span.of(text)
        if _is_worth_it(kind, found):
            yield Protected(span, kind, kind in ORDERED and bool(BY_POSITION.match(found)))


def _is_worth_it(kind: Kind, found: str) -> bool:
    """Tell whether a find is more than it looked like at first: ``and/or`` is no path."""
    if not found:
        return False
    if kind is Kind.URL:
        return not found.endswith(("://", "www", "mailto"))
    if kind is Kind.PATH and found[0] not in "/~.":
        return "\\" in found or found.count("/") > 1 or any(c in found for c in "._*0123456789")
    return True


def _without_sentence_end(text: str, span: Span) -> int:
    """Return the end of an address without the punctuation of the sentence that it is in."""
    end = _first_unmatched(text, span)
    while end > span.start:
        last = text[end - 1]
        opening = _BRACKETS.get(last)
        inside = text[span.start : end - 1] if opening else ""
        if (opening and inside.count(opening) <= inside.count(last)) or last in _SENTENCE_END:
            end -= 1
        else:
            break
    return end


def _first_unmatched(text: str, span: Span) -> int:
    """Return where a bracket closes that did not open inside; the end where there is none."""
    opened: list[str] = []
    for place in range(span.start, span.end):
        if text[place] in _BRACKETS.values():
            opened.append(text[place])
        elif opening := _BRACKETS.get(text[place]):
            if opening not in opened:
                return place
            opened.remove(opening)
    return span.end


def _closing_brace(text: str, span: Span) -> int:
    """Return the end of braces with braces inside; of what is never closed, the end that it has."""
    if text[span.end - 1] == "}":
        return span.end
    depth = 0
    for place in range(span.start, min(len(text), span.start + 4000)):
        if text[place] == "{":
            depth += 1
        elif text[place] == "}":
            depth -= 1
            if depth == 0:
                return place + 1
        if depth > _DEEPEST:
            break
    return span.end


def _chosen(found: Iterable[Protected]) -> list[Protected]:
    chosen: list[Protected] = []
    for one in sorted(found, key=lambda one: (one.span.start, -one.span.end)):
        if not chosen or one.span.start >= chosen[-1].span.end:
            chosen.append(one)
    return chosen


def _overlaps(one: Protected, others: Sequence[Protected]) -> bool:
    return bool(overlapping(others, one.span, lambda other: other.span))
