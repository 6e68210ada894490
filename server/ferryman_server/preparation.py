"""A text of any form made ready for the model."""

from __future__ import annotations

from ferryman_server.markup.document import Document
from ferryman_server.markup.html import escape_text, escape_value, html_blocks
from ferryman_server.markup.markdown import escape_beginning, escape_markdown, markdown_blocks
from ferryman_server.text.passage import Encoder, Passage, TextForm, TextOptions, prepare_passage


def prepare_text(
    text: str, options: TextOptions, *, language: str, encoder: Encoder, max_tokens: int
) -> Passage | Document:
    """Split a text into sentences and the sentences into tokens.

    Args:
        text: Any text.
        options: What form it has, and how to split it.
        language: BCP-47 code of its language.
        encoder: The tokenizer.
        max_tokens: The longest sentence that the model reads, without the end of the sentence.

    Raises:
        SentenceTooLongError: A sentence is longer, and ``options.long_input`` is ERROR.
    """
    if options.form is TextForm.PLAIN:
        return prepare_passage(
            text, options, language=language, encoder=encoder, max_tokens=max_tokens
        )
    is_html = options.form is TextForm.HTML
    blocks = html_blocks(text, options.attributes) if is_html else markdown_blocks(text)
    return Document(
        text=text,
        blocks=tuple(blocks),
        passages=tuple(
            prepare_passage(
                block.text,
                options,
                language=language,
                encoder=encoder,
                max_tokens=max_tokens,
                protected=block.protected,
            )
            for block in blocks
        ),
        escape=escape_text if is_html else escape_markdown,
        escape_value=escape_value,
        begin=str if is_html else escape_beginning,
    )
