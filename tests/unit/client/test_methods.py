"""Streams, scores, tokens, health, keys and TLS, of both clients."""

from __future__ import annotations

import datetime
import ipaddress
from contextlib import ExitStack

import grpc
import pytest
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2

from ferryman import (
    Alignment,
    AsyncClient,
    Client,
    InvalidRequestError,
    Output,
    Retry,
    ServerError,
    Span,
    Tls,
    Token,
    UnavailableError,
)
from ferryman.channel import metadata_of
from ferryman.testing import FakeAsyncClient, FakeClient
from ferryman.v1 import translation_pb2, translation_service_pb2
from ferryman.wire_scores import scores_of


def test_a_stream_yields_pieces_that_are_the_translation(client, service):
    pieces, translation = client.stream("abcdef", source="en", target="fr")

    assert pieces == ["fe", "dc", "ba"]
    assert translation.text == "fedcba"
    assert translation.source == "abcdef"
    assert service.requests[0].source_language_code == "en"


def test_a_stream_that_is_left_is_cancelled_on_the_server(client, service):
    service.held_at = "d"

    pieces, _ = client.stream("abcdef", take=2)

    assert pieces == ["fe", "dc"]
    assert service.cancelled.acquire(timeout=20)


def test_a_stream_that_was_refused_before_its_first_piece_is_tried_again(client, service):
    again = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(nanos=1000))
    service.fail("RESOURCE_EXHAUSTED", "full", again)

    assert client.stream("abc")[0] == ["cb", "a"]
    assert len(service.requests) == 2


def test_a_stream_that_cannot_be_translated_raises_why(client, service):
    service.fail("INVALID_ARGUMENT", "no")
    with pytest.raises(InvalidRequestError, match="no"):
        client.stream("abc")


def test_a_translation_of_a_stream_is_there_at_its_end_only(address):
    with Client(address) as client, client.stream("abcd") as stream:
        next(stream)
        with pytest.raises(RuntimeError, match="not complete"):
            _ = stream.translation


def test_pairs_are_scored_in_their_order(client, service):
    scores = client.score([("a", "xx"), ("b", "y")], source="en", output=Output(tokens=True))

    assert [(score.source, score.target, score.score) for score in scores] == [
        ("a", "xx", -2.0), ("b", "y", -1.0)
    ]  # fmt: skip
    assert scores[0].target_tokens == (Token(piece="a", id=7, log_prob=-1.0, span=Span(0, 0)),)
    assert scores[0].error is None
    assert service.requests[0].output.tokens


def test_texts_are_taken_apart(client):
    (tokens, none) = client.tokenize(["ab", ""])

    assert [(str(token), token.id, token.span) for token in tokens] == [
        ("a", 97, (0, 1)), ("b", 98, (1, 2))
    ]  # fmt: skip
    assert none == ()


def test_what_is_asked_for_besides_a_translation_comes_typed(client, service):
    def rich(response):
        hypothesis = response.translations[0].hypotheses[0]
        hypothesis.alignments.add(
            source=translation_pb2.Span(start=0, end=1),
            target=translation_pb2.Span(start=2, end=3),
            weight=0.5,
        )
        hypothesis.attention.CopyFrom(
            translation_pb2.AttentionMatrix(rows=2, columns=2, weights=[0.25, 0.75, 1, 0])
        )
        hypothesis.tokens.add(piece="c", id=3)
        hypothesis.sentences.add(token_count=3)
        response.translations[0].source_tokens.add(piece="a", id=1)

    service.answer(rich)
    output = Output(tokens=True, alignments=True, attention=True, sentences=True)

    translation = client.translate("abc", output=output, mime_type="text/html")

    best = translation.best
    assert best.alignments == (Alignment(source=Span(0, 1), target=Span(2, 3), weight=0.5),)
    assert best.attention == ((0.25, 0.75), (1.0, 0.0))
    assert [str(token) for token in best.tokens] == ["c"]
    assert [str(token) for token in translation.source_tokens] == ["a"]
    assert best.sentences[0].token_count == 3
    (request,) = service.requests
    assert request.mime_type == "text/html"
    assert request.output.alignments
    assert request.output.attention


def test_an_answer_that_is_missing_breaks_the_contract():
    with pytest.raises(ServerError, match="0 answers came back for 1"):
        scores_of(translation_service_pb2.ScoreTextResponse(), [("a", "b")])


def test_a_key_travels_with_every_call(connect, address, service):
    with connect(address, api_key="secret") as client:
        client.stream("abc")

    assert service.headers[0]["authorization"] == "Bearer secret"


@pytest.mark.parametrize("key", ["", "a b", "é", "a\n"])
def test_a_key_that_cannot_be_in_a_header_is_refused_without_showing_it(key):
    with pytest.raises(ValueError, match="visible ASCII") as caught:
        metadata_of(key)
    assert not key or key not in str(caught.value)


def test_health_is_told(connect, health_serving):
    with health_serving() as (servicer, address), connect(address) as client:
        assert client.health() is True
        servicer.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        assert client.health() is False


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate that signs itself, for 127.0.0.1; the paths of it and of its key."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ferryman")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("certificate")
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


def test_tls_both_ways(connect, certificate, health_serving):
    cert, key = certificate
    credentials = grpc.ssl_server_credentials(
        [(key.read_bytes(), cert.read_bytes())], cert.read_bytes(), require_client_auth=True
    )
    once = Retry(max_attempts=1)
    with health_serving(credentials) as (_, address):
        with connect(address, tls=Tls(ca=cert, certificate=cert, key=key)) as client:
            assert client.health() is True
        with (
            connect(address, tls=Tls(ca=cert), retry=once) as stranger,
            pytest.raises(UnavailableError),
        ):
            stranger.health(timeout=10)
        with connect(address, retry=once) as plain, pytest.raises(UnavailableError):
            plain.health(timeout=10)


def test_a_certificate_without_its_key_is_refused():
    with pytest.raises(ValueError, match="come together"):
        Tls(certificate="a.pem")


def test_two_servers_at_one_address_share_the_calls_and_one_may_die(connect, serving, services):
    with ExitStack() as first, ExitStack() as second:
        addresses = [first.enter_context(serving(services[0])),
                     second.enter_context(serving(services[1]))]  # fmt: skip
        with connect(",".join(addresses), timeout=20) as client:
            for number in range(40):
                assert client.translate(f"text {number}").text == f"text {number}"[::-1]
            assert min(len(service.requests) for service in services) >= 5
            first.close()
            for number in range(40):
                assert client.translate(f"more {number}").text == f"more {number}"[::-1]
            assert len(services[1].requests) >= 40


def test_a_fake_client_answers_as_it_is_told():
    with FakeClient({"a": "x", "b": InvalidRequestError("no")}) as client:
        assert client.translate("a").text == "x"
        assert client.translate("c d", target="fr").text == "c d [fr]"
        assert client.translate(" ").text == " "
        with pytest.raises(InvalidRequestError):
            client.translate("b")
        assert [each.error is None for each in client.translate_each(["a", "b"])] == [True, False]
        with client.stream("c d", target="fr") as stream:
            assert list(stream) == ["c ", "d ", "[fr]"]
        assert client.requests[1].texts == ("c d",)
        assert client.requests[1].options["target"] == "fr"


async def test_a_fake_asyncio_client_answers_as_it_is_told():
    async with FakeAsyncClient(str.upper) as client:
        assert (await client.translate("a")).text == "A"
        assert [each.text async for each in client.translate_each(["a", "b"])] == ["A", "B"]
        async with client.stream("a b") as stream:
            assert [piece async for piece in stream] == ["A ", "B"]


@pytest.mark.parametrize(("fake", "real"), [(FakeClient, Client), (FakeAsyncClient, AsyncClient)])
def test_a_fake_has_no_method_that_the_real_one_lacks(fake, real):
    public = {name for name in dir(fake) if not name.startswith("_")}

    assert public <= {name for name in dir(real) if not name.startswith("_")}
