"""What a translation must carry over untouched: placeholders, addresses, names that a caller gives.

`kinds` knows what such spans look like, `detection` finds them in a text, and `shield` puts a
reserved character in the place of each, which the model carries to where the span belongs.
"""
