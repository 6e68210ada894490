"""How texts are to be treated, out of messages."""

from __future__ import annotations

import pytest

from ferryman.v1.translation_service_pb2 import TranslateTextRequest
from ferryman_server.errors import FeatureUnavailableError, InvalidRequestError
from ferryman_server.limits import Limits
from ferryman_server.protection.detection import ProtectionOptions
from ferryman_server.text.passage import TextForm, TextOptions
from ferryman_server.wire.requests import parse_translation_request


def parse(**fields) -> TextOptions:
    message = TranslateTextRequest(**({"contents": ["text"]} | fields))
    request, _ = parse_translation_request(message, Limits(), deadline=None)
    return request.text


def test_placeholders_are_protected_unless_the_request_says_otherwise():
    assert parse().protection == ProtectionOptions(by_looks=True)
    assert not parse(text={"protect_spans": False}).protection.by_looks


def test_phrases_and_patterns_arrive():
    options = parse(do_not_translate=["GNU Hurd"], text={"placeholder_patterns": [r"ID-\d+"]})
    assert options.protection == ProtectionOptions(patterns=(r"ID-\d+",), phrases=("GNU Hurd",))


def test_the_form_of_a_text_arrives():
    assert parse().form is TextForm.PLAIN
    assert parse(mime_type="text/markdown").form is TextForm.MARKDOWN
    asked = parse(mime_type="text/html", text={"translated_attributes": ["alt"]})
    assert (asked.form, asked.attributes) == (TextForm.HTML, ("alt",))


def test_what_is_known_of_tokens_of_documents_is_refused_not_left_out():
    with pytest.raises(FeatureUnavailableError, match=r"output\.alignments"):
        parse(mime_type="text/html", output={"alignments": True})


@pytest.mark.parametrize(
    ("path", "fields", "reason"),
    [
        ("do_not_translate[1]", {"do_not_translate": ["a", " "]}, "more in it than white space"),
        ("do_not_translate[0]", {"do_not_translate": ["a" * 1001]}, "at most 1000 characters"),
        ("do_not_translate", {"do_not_translate": ["a"] * 1025}, "at most 1024, but are 1025"),
        (
            "text.placeholder_patterns[0]",
            {"text": {"placeholder_patterns": ["("]}},
            "must be a regular expression of RE2",
        ),
        (
            "text.translated_attributes",
            {"text": {"translated_attributes": ["alt"]}},
            "needs the mime_type text/html",
        ),
        (
            "text.translated_attributes[0]",
            {"mime_type": "text/html", "text": {"translated_attributes": ["a b"]}},
            "must be a name",
        ),
        (
            "text.placeholder_patterns[1]",
            {"text": {"placeholder_patterns": ["a", "b*"]}},
            "must not match the empty text",
        ),
    ],
)
def test_what_cannot_be_used_is_named(path, fields, reason):
    with pytest.raises(InvalidRequestError) as caught:
        parse(**fields)
    (fault,) = caught.value.faults
    assert fault.path == path
    assert reason in fault.description
