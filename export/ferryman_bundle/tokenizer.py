"""The tokenizer: text to token ids and back, one SentencePiece model for both languages.

Reserved pieces stand for spans that a translation must carry over untouched. Inside text they are
single private-use characters, so that spaces around them survive; text from outside can never
become one, since `Tokenizer.encode` replaces those characters unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import sentencepiece

PAD, UNKNOWN, BOS, EOS = 0, 1, 2, 3
"""Ids of padding, the unknown piece, the start and the end of a sentence."""

_FIRST_RESERVED: Final = 0xE000
PLACEHOLDERS: Final = tuple(chr(_FIRST_RESERVED + i) for i in range(32))
"""Characters that stand for an untranslatable span: a number, a path, a name."""
OPENING_TAGS: Final = tuple(chr(_FIRST_RESERVED + 32 + i) for i in range(16))
"""Characters that stand for an opening inline tag; the closing one has the same index."""
CLOSING_TAGS: Final = tuple(chr(_FIRST_RESERVED + 48 + i) for i in range(16))
"""Characters that stand for a closing inline tag."""
RESERVED: Final = PLACEHOLDERS + OPENING_TAGS + CLOSING_TAGS

_FOREIGN_TO_REPLACEMENT: Final = {ord(c): "\ufffd" for c in RESERVED}


class TokenizerError(ValueError):
    """A tokenizer model that cannot be used, with the reason."""


class Tokenizer:
    """A SentencePiece model with the id layout that every ferryman model shares.

    Args:
        model: The serialized SentencePiece model.

    Raises:
        TokenizerError: The bytes are no SentencePiece model, or its first ids are not
            padding, unknown, start and end.
    """

    def __init__(self, model: bytes) -> None:
        self.model = model
        self._processor = sentencepiece.SentencePieceProcessor()
        try:
            self._processor.LoadFromSerializedProto(model)
        except RuntimeError as error:
            raise TokenizerError(f"not a SentencePiece model: {error}") from error
        p = self._processor
        found = (p.pad_id(), p.unk_id(), p.bos_id(), p.eos_id())
        if found != (PAD, UNKNOWN, BOS, EOS):
            raise TokenizerError(
                f"the ids of pad, unk, bos and eos must be 0, 1, 2 and 3, but are {found}; "
                "train the tokenizer with `ferryman train`"
            )

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """Read a tokenizer model from a file."""
        return cls(path.read_bytes())

    @property
    def vocabulary_size(self) -> int:
        """How many pieces there are, special ones included."""
        return int(self._processor.GetPieceSize())

    def encode(self, text: str, *, reserved: bool = False) -> list[int]:
        """Return the token ids of a text, without start and end.

        Args:
            text: Any text. What the model has no piece for becomes UTF-8 byte pieces.
            reserved: True where the reserved characters in the text were put there by our own
                code; otherwise they are foreign and become U+FFFD.
        """
        return list(self._processor.EncodeAsIds(_encodable(text, reserved=reserved)))

    def encode_with_spans(
        self, text: str, *, reserved: bool = False
    ) -> list[tuple[int, tuple[int, int]]]:
        """Return the tokens of a text with their places in it, as offsets of code points.

        Of a character that takes several byte pieces, the last one has the place.

        Args:
            text: Any text, as for `encode`.
            reserved: As for `encode`.
        """
        text = _encodable(text, reserved=reserved)
        mapping = self._processor.Encode(text, return_type="offset_mapping")
        return list(zip(mapping["ids"], mapping["offsets"], strict=True))

    def decode_with_spans(self, ids: Sequence[int]) -> list[tuple[int, int]]:
        """Return where each token is in what `decode` makes of them all.

        Args:
            ids: Any tokens but padding, start and end.
        """
        if not ids:
            return []
        mapping = self._processor.Decode(list(ids), return_type="offset_mapping")
        return list(mapping["offsets"])

    def sample(self, text: str, strength: float, *, reserved: bool = False) -> list[int]:
        """Return the token ids of a text in pieces that chance decides, as training may want.

        SentencePiece's own generator decides; ``sentencepiece.set_random_generator_seed`` seeds it.

        Args:
            text: Any text, as for `encode`.
            strength: Of a unigram model the exponent of the probabilities of all segmentations
                (less is wilder), of a BPE model the share of the merges that are skipped.
            reserved: As for `encode`.
        """
        text = _encodable(text, reserved=reserved)
        return list(self._processor.SampleEncodeAsIds(text, -1, strength))

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of token ids; special ids give nothing."""
        return str(self._processor.DecodeIds([i for i in ids if i not in (PAD, BOS, EOS)]))

    def piece(self, token: int) -> str:
        """Return the surface form of one id, as SentencePiece writes it (``▁`` for a space)."""
        return str(self._processor.IdToPiece(token))


def _encodable(text: str, *, reserved: bool) -> str:
    """Return a text without what may not reach SentencePiece."""
    if not reserved:
        text = text.translate(_FOREIGN_TO_REPLACEMENT)
    # Lone surrogates cannot be encoded as UTF-8; they mean nothing in any language.
    return text.encode("utf-8", "replace").decode("utf-8")
