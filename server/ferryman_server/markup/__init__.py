"""HTML and Markdown: only text changes, every other byte of a document stays.

A document is cut into `Block`s of running text (`html`, `markdown`). The inline tags of a block are
taken out before it is translated, and `placement` puts them back where the words went that they
were around. So the tags of a document stay as they are, and in one tree.
"""
