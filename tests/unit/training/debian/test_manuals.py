"""Manual pages become blocks without their macros."""

from __future__ import annotations

from ferryman_training.debian.manuals import manual_blocks

PAGE = r"""'\" t
.\" a comment
.TH TAIL 1 "September 2022" "GNU coreutils 9.1" "User Commands"
.SH NAME
tail \- output the last part of files
.SH "SEE ALSO"
Print the last 10 lines of each \fIFILE\fP to \fBstandard output\fR.
With more than one,
.I precede
each with a header; see
.BR head (1).
.PP
A second\(em\-paragraph with \e, \(aqquotes\(aq and \[lq]more\[rq].
.TP
\fB\-c\fR, \fB\-\-bytes\fR=\fI\,NUM\/\fR
output the last NUM bytes
.EX
.in +4
int main(void) { return 0; }
.EE
.IP \(bu 2
an item

after an empty line
.nf
verbatim
.fi
"""


def test_a_page_is_its_headings_paragraphs_tags_and_items():
    found = [(block.tag, block.text) for block in manual_blocks(PAGE.encode())]
    assert found == [
        ("h1", "NAME"),
        ("p", "tail - output the last part of files"),
        ("h1", "SEE ALSO"),
        (
            "p",
            "Print the last 10 lines of each FILE to standard output. With more than one, precede "
            "each with a header; see head(1).",
        ),
        ("p", "A second—-paragraph with \\, 'quotes' and “more”."),
        ("dt", "-c, --bytes=NUM"),
        ("dd", "output the last NUM bytes"),
        ("li", "an item"),
        ("li", "after an empty line"),
    ]


def test_mdoc_pages_are_read_as_well():
    page = b".Dd May 1, 2020\n.Sh NAME\n.Nm yes\n.Sh DESCRIPTION\nSays yes.\n.Pp\nFor ever.\n"
    found = [(block.tag, block.text) for block in manual_blocks(page)]
    assert found == [("h1", "NAME"), ("h1", "DESCRIPTION"), ("p", "Says yes."), ("p", "For ever.")]


def test_a_page_of_another_encoding_has_no_blocks():
    assert manual_blocks("été".encode("iso-8859-1")) == []


def test_an_unfinished_quotation_in_a_macro_is_no_error():
    assert [b.text for b in manual_blocks(b'.B "bold\n.SH "HEAD\n')] == ["bold", "HEAD"]
