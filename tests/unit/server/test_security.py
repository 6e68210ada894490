"""TLS, certificates and API keys over real sockets: whoever may not call reaches nobody."""

from __future__ import annotations

import importlib
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ferryman.v1 import translation_service_pb2, translation_service_pb2_grpc
from ferryman.v1.translation_service_pb2 import TranslateTextRequest
from ferryman_server import watched_files
from ferryman_server.config import load_config
from ferryman_server.keys import KeyRing, make_key
from ferryman_server.security import security_of
from ferryman_server.start_errors import ConfigError

SERVICE = translation_service_pb2.DESCRIPTOR.services_by_name["TranslationService"]
SERVING = health_pb2.HealthCheckResponse.SERVING


@pytest.fixture
def authority(tmp_path):
    """The class `Authority`, bound to a folder: ``authority()`` or ``authority(name)``."""
    folder = str(Path(__file__).parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = importlib.import_module("certificate_authority")
    return lambda *name: module.Authority(tmp_path, *name)


@pytest.fixture
def secured(serving, tmp_path, monkeypatch):
    """Serve with security options: ``async with secured(keys_file=...) as server``."""
    monkeypatch.setattr(watched_files, "_LOOK_SECONDS", 0)

    @asynccontextmanager
    async def serve(**options: Path | None):
        flags = {name: str(value) for name, value in options.items() if value is not None}
        config = load_config(flags | {"probe_address": "127.0.0.1:0"})
        async with serving(security=security_of(config)) as (server, _):
            yield server

    return serve


def channel_to(server, ca: Path | None, client=None) -> grpc.aio.Channel:
    if ca is None:
        return grpc.aio.insecure_channel(f"127.0.0.1:{server.port}")
    credentials = grpc.ssl_channel_credentials(
        ca.read_bytes(),
        client.key.read_bytes() if client else None,
        client.certificate.read_bytes() if client else None,
    )
    return grpc.aio.secure_channel(f"127.0.0.1:{server.port}", credentials)


async def codes_of_every_method(channel: grpc.aio.Channel, metadata=()) -> set[grpc.StatusCode]:
    """Call every method of every service with an empty message; return the codes."""
    paths = [f"/{SERVICE.full_name}/{method.name}" for method in SERVICE.methods]
    paths += [
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/ferryman.v1.ModelAdminService/LoadModel",
        "/nobody.at.all/Knows",
    ]
    codes = set()
    for path in paths:
        unary = channel.unary_unary(path)(b"", metadata=metadata, timeout=30)
        stream = channel.stream_stream(path)(iter([b""]), metadata=metadata, timeout=30)
        codes |= {await unary.code(), await stream.code()}
    return codes


async def translate(channel, text="a", metadata=()) -> str:
    stub = translation_service_pb2_grpc.TranslationServiceStub(channel)
    response = await stub.TranslateText(
        TranslateTextRequest(contents=[text]), metadata=metadata, timeout=10
    )
    return response.translations[0].hypotheses[0].translated_text


def bearer(secret: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {secret}")]


async def test_without_a_good_key_no_method_is_reached(secured, engine, tmp_path):
    secret, key = make_key("website")
    KeyRing([key]).write(tmp_path / "keys.json")
    async with secured(keys_file=tmp_path / "keys.json") as server, channel_to(server, None) as c:
        bare = [("authorization", secret)]
        for headers in ([], bearer("ferryman_wrong"), [("x-api-key", "")], bare):
            assert await codes_of_every_method(c, headers) == {grpc.StatusCode.UNAUTHENTICATED}
        assert engine.submissions == 0
        assert await translate(c, "a", bearer(secret)) == "A"
        assert await translate(c, "b", [("x-api-key", secret)]) == "B"


async def test_a_key_is_good_for_its_methods_only(secured, engine, fails, tmp_path):
    secret, key = make_key("lister", methods=["ListModels"])
    KeyRing([key]).write(tmp_path / "keys.json")
    async with secured(keys_file=tmp_path / "keys.json") as server, channel_to(server, None) as c:
        stub = translation_service_pb2_grpc.TranslationServiceStub(c)
        await stub.ListModels(translation_service_pb2.ListModelsRequest(), metadata=bearer(secret))
        call = stub.TranslateText(TranslateTextRequest(contents=["a"]), metadata=bearer(secret))
        details = await fails(call, grpc.StatusCode.PERMISSION_DENIED)
        assert details["ErrorInfo"].reason == "METHOD_NOT_ALLOWED"
        for method in ("LoadModel", "UnloadModel"):
            call = c.unary_unary(f"/ferryman.v1.ModelAdminService/{method}")
            await fails(call(b"", metadata=bearer(secret)), grpc.StatusCode.PERMISSION_DENIED)
        assert engine.submissions == 0


async def test_a_key_that_is_taken_back_is_refused_by_the_running_server(secured, tmp_path):
    file = tmp_path / "keys.json"
    secret, key = make_key("a")
    KeyRing([key]).write(file)
    async with secured(keys_file=file) as server, channel_to(server, None) as c:
        assert await translate(c, "a", bearer(secret)) == "A"
        KeyRing([]).write(file)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await translate(c, "a", bearer(secret))
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_the_log_names_the_holder_and_never_has_a_key(secured, tmp_path, caplog):
    caplog.set_level("INFO")
    secret, key = make_key("website")
    KeyRing([key]).write(tmp_path / "keys.json")
    async with secured(keys_file=tmp_path / "keys.json") as server, channel_to(server, None) as c:
        await translate(c, "a", bearer(secret))
        await codes_of_every_method(c, bearer("ferryman_secret_of_another_server"))
        metrics = server.metrics.registry.collect()
        labels = {str(s.labels) for family in metrics for s in family.samples}
    lines = [repr(getattr(record, "facts", {})) + record.getMessage() for record in caplog.records]
    assert any("'client': 'website'" in line for line in lines)
    assert not any(secret in line or "secret_of_another" in line for line in lines)
    assert not any("Knows" in label for label in labels), "callers cannot make series of metrics"


async def test_health_needs_no_key_on_the_port_for_probes(secured, tmp_path):
    KeyRing([]).write(tmp_path / "keys.json")
    async with secured(keys_file=tmp_path / "keys.json") as server:
        assert server.probe_port != server.port
        async with grpc.aio.insecure_channel(server.probe_address) as probe:
            health = health_pb2_grpc.HealthStub(probe)
            assert (await health.Check(health_pb2.HealthCheckRequest())).status == SERVING
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await translate(probe)
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_tls_translates_and_plain_text_does_not(secured, authority, engine):
    ours = authority()
    pair = ours.sign("server")
    async with secured(tls_certificate=pair.certificate, tls_key=pair.key) as server:
        async with channel_to(server, ours.certificate) as channel:
            assert await translate(channel) == "A"
        async with channel_to(server, None) as plain:
            assert await codes_of_every_method(plain) == {grpc.StatusCode.UNAVAILABLE}
        async with grpc.aio.insecure_channel(server.probe_address) as probe:
            health = health_pb2_grpc.HealthStub(probe)
            assert (await health.Check(health_pb2.HealthCheckRequest())).status == SERVING
    assert engine.submissions == 1


@pytest.mark.parametrize("fault", ["expired", "name of another", "unknown authority"])
async def test_a_client_does_not_talk_to_a_server_with_a_wrong_certificate(
    secured, authority, engine, fault
):
    ours, others = authority(), authority("other authority")
    signer = others if fault == "unknown authority" else ours
    hosts = ["example.org"] if fault == "name of another" else []
    pair = signer.sign("server", *hosts, expired=fault == "expired")
    async with (
        secured(tls_certificate=pair.certificate, tls_key=pair.key) as server,
        channel_to(server, ours.certificate) as channel,
    ):
        assert await codes_of_every_method(channel) == {grpc.StatusCode.UNAVAILABLE}
    assert engine.submissions == 0


@pytest.mark.parametrize("fault", [None, "none", "expired", "unknown authority"])
async def test_a_client_needs_a_certificate_of_our_authority(secured, authority, engine, fault):
    ours, others = authority(), authority("other authority")
    server_pair = ours.sign("server")
    signer = others if fault == "unknown authority" else ours
    client = None if fault == "none" else signer.sign("client", expired=fault == "expired")
    options = {
        "tls_certificate": server_pair.certificate,
        "tls_key": server_pair.key,
        "tls_client_ca": ours.certificate,
    }
    async with (
        secured(**options) as server,
        channel_to(server, ours.certificate, client) as channel,
    ):
        if fault is None:
            assert await translate(channel) == "A"
        else:
            assert await codes_of_every_method(channel) == {grpc.StatusCode.UNAVAILABLE}
    assert engine.submissions == (fault is None)


async def test_a_new_certificate_is_taken_without_a_restart_and_no_call_fails(secured, authority):
    old, new = authority(), authority("new authority")
    pair = old.sign("server")
    async with secured(tls_certificate=pair.certificate, tls_key=pair.key) as server:
        async with channel_to(server, old.certificate) as before:
            assert await translate(before) == "A"
            pair.key.write_bytes(b"half of a")
            async with channel_to(server, old.certificate) as meanwhile:
                assert await translate(meanwhile) == "A", "a broken file changes nothing"
            new.sign("server")
            async with channel_to(server, new.certificate) as after:
                assert await translate(after) == "A"
            assert await translate(before) == "A", "connections go on"
        async with channel_to(server, old.certificate) as late:
            with pytest.raises(grpc.aio.AioRpcError):
                await translate(late)


def test_files_that_do_not_belong_together_are_told_before_anything_listens(authority, tmp_path):
    ours = authority()
    one, other = ours.sign("one"), ours.sign("other")
    (tmp_path / "text").write_text("no certificate")
    for options in (
        {"tls_certificate": one.certificate, "tls_key": other.key},
        {"tls_certificate": tmp_path / "text", "tls_key": one.key},
        {"tls_certificate": tmp_path / "absent", "tls_key": one.key},
        {
            "tls_certificate": one.certificate,
            "tls_key": one.key,
            "tls_client_ca": tmp_path / "text",
        },
    ):
        config = load_config({name: str(path) for name, path in options.items()})
        with pytest.raises(ConfigError, match="--tls-certificate"):
            security_of(config)


@pytest.mark.parametrize("name", ["tls_certificate", "tls_key", "tls_client_ca"])
def test_half_of_tls_is_refused(name):
    with pytest.raises(ConfigError, match=f"--{name.replace('_', '-')}: needs --tls-"):
        load_config({name: "x"})


@pytest.mark.parametrize(
    ("options", "warning"),
    [
        ({"address": "127.0.0.1:1"}, None),
        ({"address": "0.0.0.0:1"}, "whoever reaches 0.0.0.0:1 may call"),
        ({"address": "0.0.0.0:1", "keys_file": "keys.json"}, "keys travel in plain text"),
    ],
)
def test_what_a_server_that_others_reach_leaves_open_is_said(tmp_path, caplog, options, warning):
    KeyRing([]).write(tmp_path / "keys.json")
    if "keys_file" in options:
        options = options | {"keys_file": str(tmp_path / "keys.json")}
    security_of(load_config(options | {"probe_address": "none"}))
    assert [warning] * bool(warning) == [
        warning for record in caplog.records if warning in record.getMessage()
    ]
    assert len(caplog.records) == bool(warning)
