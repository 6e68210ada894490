"""The blocks of a Markdown document, by markdown-it: CommonMark, tables and strikethrough.

markdown-it says which lines a block has, but not where inline parts are. So its inline parser is
extended by a note of where each token begins and ends.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, Final, Literal

from markdown_it import MarkdownIt
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType

from ferryman_server.markup.block import Block, Item, Part, make_block
from ferryman_server.text.span import Span

_SPAN: Final = "span"
_TAG: Final = re.compile(r"<(/?)([A-Za-z][\w-]*)[^>]*?(/?)>\Z")
_VOID: Final = frozenset({"br", "img", "hr", "input", "wbr"})
_SPECIAL: Final = re.compile(r"[\\`*\[\]<~|]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")
"""What may be a sign of Markdown in running text."""
_BLOCK_SIGN: Final = re.compile(r"(?:[#>+=-]|\d{1,9}(?=[.)]))")
"""What may begin a block of another kind."""


class _State(StateInline):
    """Notes where tokens begin, and those of pending text also where they end."""

    pending_start = 0

    def append_pending(self, text: str) -> None:
        """Note where text begins."""
        if not self.pending:
            self.pending_start = self.pos
        super().append_pending(text)

    def pushPending(self) -> Token:  # noqa: N802 - markdown-it's name
        """Note where text is."""
        token = super().pushPending()
        start = self.pending_start
        token.meta[_SPAN] = Span(start, start + len(token.content))
        return token

    def push(self, ttype: str, tag: str, nesting: Literal[-1, 0, 1]) -> Token:
        """Note where a token begins; its end is known when its rule is done."""
        token = super().push(ttype, tag, nesting)
        token.meta[_SPAN] = Span(self.pos, self.pos)
        return token


class _Inline(ParserInline):
    """An inline parser whose tokens know where they are."""

    def tokenize(self, state: StateInline) -> None:
        """Do as the parent does, rule by rule, and note what each rule has read."""
        end = state.posMax
        while state.pos < end:
            start, count = state.pos, len(state.tokens)
            deep = state.level >= state.md.options["maxNesting"]
            if not deep and any(rule(state, False) for rule in self.ruler.getRules("")):
                _note(state.tokens[count:], Span(start, state.pos))
                continue
            state.append_pending(state.src[state.pos])
            state.pos += 1
        if state.pending:
            state.pushPending()

    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        """Do as the parent does, with a state that notes places."""
        state = _State(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


def _note(tokens: Sequence[Token], read: Span) -> None:
    """Note where the tokens are that one rule has made."""
    made = [token for token in tokens if token.meta[_SPAN].start == token.meta[_SPAN].end]
    if not made:
        return
    if made[0].type == "link_open" and made[0].markup != "autolink":
        start = made[0].meta[_SPAN].start
        made[0].meta[_SPAN] = Span(start - 1, start)
        made[-1].meta[_SPAN] = Span(made[-1].meta[_SPAN].start, read.end)
    elif all(token.type == "text" for token in made):
        # Delimiters: which of them are emphasis is found out later.
        start = read.start
        for token in made:
            token.meta[_SPAN] = Span(start, start + len(token.content))
            start += len(token.content)
    else:
        for token in made:
            token.meta[_SPAN] = read


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    inline = _Inline()
    for name in ("linkify",):
        inline.ruler.disable(name)
    parser.inline = inline
    # These make one token of several, and the places are lost.
    inline.ruler2.disable("fragments_join")
    parser.core.ruler.disable("text_join")
    return parser


_PARSER: Final = _parser()


def markdown_blocks(document: str) -> list[Block]:
    """Return the blocks of a Markdown document, in order.

    Args:
        document: Any text.
    """
    starts = [0, *accumulate(len(line) + 1 for line in document.split("\n"))]
    blocks: list[Block] = []
    rows: dict[int, int] = {}
    for token in _PARSER.parse(document):
        if token.type != "inline" or token.map is None or not token.children:
            continue
        places = _places(document, token, starts, rows)
        if places is None:
            continue
        block = make_block(document, list(_items(token, places)))
        if block is not None:
            blocks.append(block)
    return blocks


def escape_markdown(text: str) -> str:
    """Return plain text as running text of a Markdown document."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def escape_beginning(text: str) -> str:
    """Return running text that begins no block of another kind."""
    match = _BLOCK_SIGN.match(text)
    if match is None:
        return text
    sign = match.group()
    return f"{sign}\\{text[len(sign) :]}" if sign.isdigit() else f"\\{text}"


class _Places:
    """Where the offsets of the content of a block are in the document."""

    def __init__(self, content: str, columns: Sequence[int]) -> None:
        lines = content.split("\n")
        self._starts = [0, *accumulate(len(line) + 1 for line in lines)][: len(lines)]
        self._columns = columns

    def __call__(self, span: Span) -> Span:
        return Span(self._place(span.start), self._place(span.end))

    def _place(self, offset: int) -> int:
        line = bisect_right(self._starts, offset) - 1
        return self._columns[line] + offset - self._starts[line]


def _places(
    document: str, token: Token, starts: Sequence[int], rows: dict[int, int]
) -> _Places | None:
    """Return where the content of a block is; None where it is not as it is in the document.

    Args:
        document: The document.
        token: The block.
        starts: Offsets of the lines of the document.
        rows: Where the last cell of a row of a table has ended, by its line.
    """
    assert token.map is not None
    first, last = token.map
    lines = token.content.split("\n")
    columns: list[int] = []
    for number, line in enumerate(lines):
        if first + number >= last:
            return None
        start, end = starts[first + number], starts[first + number + 1] - 1
        if len(lines) == 1 and document[start:end].count("|"):
            # A cell of a table, or as good as one: cells of one line come one after the other.
            column = document.find(line, rows.get(first, start), end)
        else:
            column = document.rfind(line, start, end)
        if column < 0:
            return None
        columns.append(column)
        rows[first + number] = column + len(line)
    return _Places(token.content, columns)


def _items(block: Token, places: _Places) -> Iterator[Item]:
    """Yield the parts of a block, in order and without gaps."""
    children = block.children or []
    number = 0
    while number < len(children):
        token = children[number]
        span: Span = token.meta[_SPAN]
        number += 1
        if token.markup == "autolink":
            yield Item(Part.OPAQUE, places(span))
            number += 2
        elif token.type in ("text", "text_special"):
            if token.content:
                yield Item(Part.TEXT, places(span), token.content)
        elif token.type == "softbreak":
            yield Item(Part.TEXT, places(span), " ")
        elif token.nesting:
            yield Item(*_tag(token, span, places), name=token.tag)
        else:
            yield _opaque(token, places(span))


def _tag(token: Token, span: Span, places: _Places) -> tuple[Part, Span]:
    is_open = token.nesting == 1
    if token.type.startswith("strong"):
        # The other of the two signs is an empty token before or after this one.
        span = Span(span.start - 1, span.end) if is_open else Span(span.start, span.end + 1)
    return (Part.OPEN if is_open else Part.CLOSE), places(span)


def _opaque(token: Token, span: Span) -> Item:
    match = _TAG.match(token.content) if token.type == "html_inline" else None
    if match is None or match[3] or match[2].lower() in _VOID:
        return Item(Part.OPAQUE, span)
    return Item(Part.CLOSE if match[1] else Part.OPEN, span, name=match[2].lower())


def outline(document: str) -> list[tuple[Any, ...]]:
    """Return what kinds of blocks and inline parts a document has, and how they are nested."""
    found: list[tuple[Any, ...]] = []
    for token in _PARSER.parse(document):
        if token.type != "inline":
            found.append((token.level, token.type, token.tag, token.info, _code(token)))
            continue
        found.append((token.level, *sorted(_inline_outline(token.children or []), key=repr)))
    return found


def _code(token: Token) -> str:
    return token.content if token.type in ("fence", "code_block", "html_block") else ""


def _inline_outline(children: Sequence[Token]) -> Iterator[tuple[Any, ...]]:
    """Yield the inline parts with all that they are in; their order is the translation's."""
    around: list[str] = []
    for token in children:
        if token.nesting == 1:
            around.append(f"{token.tag} {sorted(token.attrs.items())}")
            yield tuple(around)
        elif token.nesting == -1:
            around.pop()
        elif token.type in ("code_inline", "image", "html_inline", "hardbreak"):
            yield (*around, token.type, token.content, str(sorted(token.attrs.items())))
