"""Subtitles: SubRip (.srt) and WebVTT (.vtt). Numbers, times, notes and styles stay as they are.

Both are blocks of lines between blank ones, and what follows a line of times in a block is spoken.
Libraries for them read cues and write cues; numbers, regions and spacing would not come back.
"""

from __future__ import annotations

import re

from ferryman.documents.document import Translations

_TIMES = re.compile(r"\s*(\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}\s+-->\s+(\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}")
_SPEAKER = re.compile(r"\s*[-–—]\s*\S")


class Subtitles:
    """A file of subtitles.

    The lines of a cue are one text, as sentences run over them, and are divided anew; but where
    lines begin with dashes, each is what another person says.

    Args:
        data: The file.

    Raises:
        ValueError: It is not UTF-8, or has no times.
    """

    def __init__(self, data: bytes) -> None:
        self._text = data.decode()
        self._lines = self._text.splitlines(keepends=True)
        self._slots = list(self._spoken())
        if not self._slots and self._text.strip("\ufeff \r\n\t") not in {"", "WEBVTT"}:
            raise ValueError("it has no line of times, as 00:00:01,000 --> 00:00:02,000")

    def sources(self) -> list[str | None]:
        """Return what is spoken."""
        return [
            " ".join(self._lines[number].strip() for number in range(*slot)) for slot in self._slots
        ]

    targets = sources

    def filled(self, translations: Translations) -> bytes:
        """Return the file with translations in place of what is spoken."""
        lines = list(self._lines)
        for (begin, end), translation in zip(self._slots, translations, strict=True):
            if translation is None:
                continue
            parts = divided(translation, end - begin)
            for number in range(begin, end):
                ending = lines[number][len(lines[number].rstrip("\r\n")) :]
                lines[number] = (
                    parts[number - begin] + ending if number - begin < len(parts) else ""
                )
            if not lines[end - 1] and parts:  # there were too few words for all lines
                last = begin + len(parts) - 1
                ending = self._lines[end - 1][len(self._lines[end - 1].rstrip("\r\n")) :]
                lines[last] = parts[-1] + ending
        return "".join(lines).encode()

    def _spoken(self) -> list[tuple[int, int]]:
        """Return the first line, and the line after the last, of each text."""
        slots, number = [], 0
        while number < len(self._lines):
            if not _TIMES.match(self._lines[number]):
                number += 1
                continue
            begin = number = number + 1
            while number < len(self._lines) and self._lines[number].strip():
                number += 1
            block = self._lines[begin:number]
            if len(block) > 1 and any(_SPEAKER.match(line) for line in block[1:]):
                slots += [(line, line + 1) for line in range(begin, number)]
            elif block:
                slots.append((begin, number))
        return slots


def divided(text: str, count: int) -> list[str]:
    """Divide a text into lines of about one length, between words.

    >>> divided("Le bac part à midi, et nous le prendrons.", 2)
    ['Le bac part à midi,', 'et nous le prendrons.']
    """
    words, lines = text.split(), list[str]()
    for left in range(count, 0, -1):
        if not words:
            break
        if left == 1:
            lines.append(" ".join(words))
            break
        goal = len(" ".join(words)) / left
        line = words.pop(0)
        # Every line that is left gets a word.
        while len(words) >= left and abs(len(line) + 1 + len(words[0]) - goal) <= abs(
            len(line) - goal
        ):
            line += " " + words.pop(0)
        lines.append(line)
    return lines
