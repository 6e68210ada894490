"""Fragments of HTML as manuals have them, and what their trees of tags are."""

from __future__ import annotations

import re
from typing import Any

import lxml.html

FRAGMENTS = [
    "<p>Press <b>any key</b> to continue.</p>",
    "<p>See <a href='a.html'>the manual page</a> of <code>apt-get</code> for details.</p>",
    "<h1>Installing the <em>new</em> package</h1><p>It is <strong>not</strong> available.</p>",
    "<ul><li>The first item<li><b>The second item. It has two sentences.</b></ul>",
    "<table><tr><th>Name</th><th>Value</th></tr><tr><td>File</td><td>&lt;none&gt;</td></tr></table>",
    "<p>Save <i><b>all</b> files</i> before you <u>restart</u> the server.</p>",
    "<pre>int main(void);</pre><p>The function returns <var>x</var>&nbsp;&amp; an error.</p>",
    "<p>An unclosed <b>tag<p>and another <i>paragraph",
    "<p>Misnested <b>bold <i>both</b> italic</i> text.</p>",
    "<p>A line<br>break and an <img src='x.png' alt='image'> in the text.</p>",
    "<!-- a comment --><p>Text <!-- another --> around a comment.</p>",
    "<div>Text before a list<ol><li>one item</ol>and text after it.</div>",
    "<p translate='no'>Debian</p><p>The <span class='notranslate'>Debian</span> system.</p>",
    "<p><a href='x'></a>An empty link and a <span></span> span.</p>",
    "<p>\n  Indented text\n  on <b>several\n  lines</b>.\n</p>\n",
    "<form><label>User name: <input name=u></label><button>Log in</button></form>",
    "<p>5 &gt; 3 and AT&T; caf&eacute; &#233; &copy; 2026</p>",
    "<script>if (a < b) { x = '<p>'; }</script><style>p { color: red }</style><p>Visible text</p>",
    "<dl><dt>Term</dt><dd>Its <dfn>definition</dfn>.</dd></dl>",
    "Plain text without any tags, but with a %s placeholder and <b>%d</b> files.",
]

_INLINE = re.compile(
    "(a|abbr|acronym|b|br|cite|code|dfn|em|font|i|img|kbd|q|samp|small|span|strong|sub|sup|tt|u|var)$"
)


def tree(document: str) -> Any:
    """Return the elements of a document with their attributes, each with those within it.

    Running text has another order in another language, so inline elements side by side count as
    equal in any order.
    """
    return _canonical(lxml.html.document_fromstring(f"<html><body>{document}</body></html>"))


def _canonical(element: Any) -> Any:
    children = [_canonical(child) for child in element if isinstance(child.tag, str)]
    if all(_INLINE.match(child[0]) for child in children):
        children.sort()
    return element.tag, sorted(element.attrib.items()), children


def contents(document: str, *tags: str) -> list[str]:
    """Return the text of some elements, in any order."""
    root = lxml.html.document_fromstring(f"<html><body>{document}</body></html>")
    return sorted(element.text_content() for element in root.iter(*tags))
