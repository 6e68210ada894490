"""Translations while they come about: what of each text is certain, piece by piece.

The engine's threads add tokens; the event loop takes pieces of text. Neither waits for the other:
who takes late gets a larger piece.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from ferryman_server.composition import PreparedText
from ferryman_server.engine import Job, Listener, Result
from ferryman_server.model import Model, Tokenizer
from ferryman_server.text.passage import Passage, Sentence
from ferryman_server.text.span import Span
from ferryman_server.translation import TextTranslation

_REPLACEMENT: Final = "\ufffd"
"""What a tokenizer makes of bytes that are no character, or not one yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """What a translation goes on with."""

    index: int
    """Of the text in its request."""
    text: str
    token_count: int
    """Tokens behind all deltas of the text so far."""
    is_last: bool


@dataclass(slots=True, eq=False)
class _Sentence:
    """What is known of one translated sentence; an engine's thread writes, the loop reads."""

    layout: str
    """What stands between the sentence before it and this one."""
    source: Sentence
    tokens: list[int] = field(default_factory=list)
    result: Result | None = None

    def take_layout(self) -> str:
        """Return the layout, once."""
        layout, self.layout = self.layout, ""
        return layout


class LiveTexts:
    """The translations of a request as far as they are certain. Belongs to one event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._is_awake = False
        self._texts: dict[int, _LiveText] = {}
        self._sentences: list[_Sentence] = []

    def follow(
        self, prepared: Sequence[PreparedText], jobs: Sequence[Job], model: Model
    ) -> list[Job]:
        """Return jobs that tell this object of their tokens.

        Args:
            prepared: The texts. What a passage is composed of must be its translation in the end;
                a text that is yet to be changed after decoding must not be among them.
            jobs: One for each sentence of the passages, in their order.
            model: What decodes them.
        """
        for index, text in enumerate(prepared):
            if isinstance(text, Passage):
                live = self._texts[index] = _LiveText(index, text, model.tokenizer)
                self._sentences += live.sentences
        return [
            replace(job, listener=self._listener(sentence))
            for job, sentence in zip(jobs, self._sentences, strict=True)
        ]

    def end(self, number: int, future: Future[Result]) -> None:
        """Note how a job ended; the future tells this in an engine's thread.

        Args:
            number: Of the job, in the order of `follow`.
            future: The engine's, done.
        """
        if not future.cancelled() and future.exception() is None:
            self._sentences[number].result = future.result()
            self._wake()

    async def wait(self) -> None:
        """Wait until more is certain than was taken."""
        await self._changed.wait()
        self._changed.clear()
        # From here on whoever adds something wakes us again, so nothing is overlooked below.
        self._is_awake = False

    def take(self) -> Iterator[Delta]:
        """Yield what has become certain since this was last called."""
        for text in self._texts.values():
            if (delta := text.advance()) is not None:
                yield delta

    def finish(self, translations: Sequence[TextTranslation]) -> Iterator[Delta]:
        """Yield what is missing of the complete translations.

        Args:
            translations: Of all texts, in order.

        Raises:
            RuntimeError: A translation does not start with what was taken of it.
        """
        for index, translation in enumerate(translations):
            if not translation.hypotheses:
                continue
            best, live = translation.hypotheses[0], self._texts.get(index)
            told = "" if live is None else live.told
            if not best.text.startswith(told):
                raise RuntimeError(f"text {index} was told otherwise than it was translated")
            if live is None or not live.is_complete:
                rest = best.text[len(told) :]
                yield Delta(index=index, text=rest, token_count=best.token_count, is_last=True)

    def _listener(self, sentence: _Sentence) -> Listener:
        def listen(tokens: tuple[int, ...]) -> None:
            sentence.tokens.extend(tokens)
            self._wake()

        return listen

    def _wake(self) -> None:
        """Wake the loop, unless it is about to look anyway: a thousand tokens need one call."""
        if not self._is_awake:
            self._is_awake = True
            with suppress(RuntimeError):  # the loop may be closed by then
                self._loop.call_soon_threadsafe(self._changed.set)


class _LiveText:
    """One text: its sentences are told in their order, each with the layout before it."""

    def __init__(self, index: int, passage: Passage, tokenizer: Tokenizer) -> None:
        ends = [0, *(sentence.span.end for sentence in passage.sentences)]
        self.sentences = [
            _Sentence(Span(end, sentence.span.start).of(passage.text), sentence)
            for end, sentence in zip(ends, passage.sentences, strict=False)
        ]
        self._tail = passage.text[ends[-1] :]
        self._index = index
        self._tokenizer = tokenizer
        self._current = 0
        self._told_of_current = ""
        self._earlier_tokens = 0
        self._parts: list[str] = []
        self.is_complete = False

    @property
    def told(self) -> str:
        """All that was told of the text."""
        return "".join(self._parts)

    def advance(self) -> Delta | None:
        """Return what has become certain; None where nothing has."""
        if self.is_complete:
            return None
        parts: list[str] = []
        tokens = 0
        while self._current < len(self.sentences):
            sentence = self.sentences[self._current]
            # Read once: tokens that come after this are for the next time.
            result = sentence.result
            best = None if result is None else result.hypotheses[0]
            ids = tuple(sentence.tokens) if best is None else best.ids
            if best is None and not ids:
                break
            parts += (
                sentence.take_layout(),
                self._more(sentence.source, ids, is_final=best is not None),
            )
            if best is None:
                tokens = len(ids)
                break
            self._earlier_tokens += len(best.token_log_probs)
            self._told_of_current = ""
            self._current += 1
        else:
            parts.append(self._tail)
            self.is_complete = True
        text = "".join(parts)
        if not text and not self.is_complete:
            return None
        self._parts.append(text)
        return Delta(
            index=self._index,
            text=text,
            token_count=self._earlier_tokens + tokens,
            is_last=self.is_complete,
        )

    def _more(self, source: Sentence, ids: Sequence[int], *, is_final: bool) -> str:
        """Return what tokens add to the text of the sentence that was told."""
        text = source.restore(self._tokenizer.decode(ids))
        if not is_final:
            # The last bytes may be the beginning of a character.
            text = text.rstrip(_REPLACEMENT)
        told = self._told_of_current
        if not text.startswith(told):
            # A tokenizer may see the end of a text otherwise than what follows it. Then it waits.
            if not is_final:
                return ""
            raise RuntimeError("a tokenizer took back what it had made of the first tokens")
        self._told_of_current = text
        return text[len(told) :]
