"""Plain text in and out: lines, sentences, tokens, and the text put together again.

Offsets count Unicode code points, and every span is half-open: ``text[start:end]``.
"""
