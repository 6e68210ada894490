"""Clients that are not ours: from the .proto files alone, from reflection alone, and from noise."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import sysconfig
from collections import Counter
from pathlib import Path

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from ferryman.v1 import admin_service_pb2, translation_service_pb2

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "models/en-fr/ferryman_model_en_fr/bundle"
SERVICE = "ferryman.v1.TranslationService"
ADMIN = "ferryman.v1.AdminService"
TEXT = "Press any key to continue."


@pytest.fixture(scope="module")
def server(serving, tmp_path_factory):
    root = tmp_path_factory.mktemp("bundles")
    flags = ("--workers", "1", "--trial-seconds", "0", "--admin-address", "127.0.0.1:0")
    with serving(BUNDLE, *flags, "--models-root", str(root)) as process:
        yield process
        assert "Traceback" not in process.log


PROGRAM = """
import sys

import grpc
from ferryman.v1 import translation_service_pb2 as pb
from ferryman.v1 import translation_service_pb2_grpc as services

assert pb.__file__.startswith(sys.argv[2]), pb.__file__
text = "Press any key to continue."
with grpc.insecure_channel(sys.argv[1]) as channel:
    stub = services.TranslationServiceStub(channel)
    plain = stub.TranslateText(
        pb.TranslateTextRequest(
            contents=[text], source_language_code="en", target_language_code="fr",
            decoding={"beam_size": 3, "num_hypotheses": 2}, output={"alignments": True},
        )
    )
    best = plain.translations[0].hypotheses[0]
    assert best.moses_alignments
    request = pb.StreamTranslateTextRequest(request={"contents": [text]})
    *deltas, last = stub.StreamTranslateText(request)
    told = "".join(message.delta.text for message in deltas)
    assert told == last.result.translations[0].hypotheses[0].translated_text
    items = [
        pb.TranslateBatchRequest(config={}),
        pb.TranslateBatchRequest(item={"id": 7, "content": text}),
    ]
    started, result = stub.TranslateBatch(iter(items))
    assert result.result.id == 7
    pair = {"source_text": text, "target_text": best.translated_text}
    assert stub.ScoreText(pb.ScoreTextRequest(pairs=[pair])).scores[0].log_prob < 0
    assert stub.TokenizeText(pb.TokenizeTextRequest(contents=[text])).texts[0].tokens
    (model,) = stub.ListModels(pb.ListModelsRequest()).models
    assert stub.GetModel(pb.GetModelRequest(model=model.name)).model == model
    (languages,) = stub.ListLanguagePairs(pb.ListLanguagePairsRequest()).language_pairs
    assert languages.target_language_code == "fr"
    assert stub.GetServerInfo(pb.GetServerInfoRequest()).limits.max_contents
print(best.translated_text)
"""


def test_a_client_from_the_proto_files_alone_can_do_everything(server, tmp_path):
    stubs = tmp_path / "stubs"
    for folder in ("ferryman/v1", "google"):
        (stubs / folder).mkdir(parents=True)
    for package in ("ferryman", "ferryman/v1"):
        (stubs / package / "__init__.py").touch()
    (stubs / "google").rmdir()
    protos = sorted(str(path) for path in (ROOT / "protos/ferryman/v1").glob("*.proto"))
    include = [f"-I{ROOT / 'protos'}", f"-I{sysconfig.get_path('purelib')}"]
    include += [f"-I{path}" for path in sys.path if (Path(path) / "google/rpc").is_dir()]
    outputs = [f"--python_out={stubs}", f"--grpc_python_out={stubs}"]
    command = [sys.executable, "-m", "grpc_tools.protoc", *include, *outputs, *protos]
    subprocess.run(command, check=True, timeout=120)
    (tmp_path / "program.py").write_text(PROGRAM)
    finished = subprocess.run(
        [sys.executable, str(tmp_path / "program.py"), server.address, str(stubs)],
        env={**os.environ, "PYTHONPATH": str(stubs)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert "continuer" in finished.stdout


class Reflected:
    """Calls methods that it knows from reflection only."""

    def __init__(self, channel):
        self._channel = channel
        self._database = ProtoReflectionDescriptorDatabase(channel)
        self._pool = DescriptorPool(self._database)

    @property
    def services(self):
        return set(self._database.get_services())

    def call(self, service, method, *requests):
        found = self._pool.FindServiceByName(service).FindMethodByName(method)
        kind = f"{'stream' if found.client_streaming else 'unary'}_" + (
            "stream" if found.server_streaming else "unary"
        )
        request_class = message_factory.GetMessageClass(found.input_type)
        invoke = getattr(self._channel, kind)(
            f"/{service}/{method}",
            request_serializer=request_class.SerializeToString,
            response_deserializer=message_factory.GetMessageClass(found.output_type).FromString,
        )
        messages = [request_class(**request) for request in requests]
        answer = invoke(iter(messages) if found.client_streaming else messages[0], timeout=60)
        return list(answer) if found.server_streaming else answer


def test_a_client_through_reflection_alone_can_do_everything(server):
    with grpc.insecure_channel(server.address) as channel:
        client = Reflected(channel)
        assert {SERVICE, "grpc.health.v1.Health"} <= client.services
        best = client.call(SERVICE, "TranslateText", {"contents": [TEXT]})
        target = best.translations[0].hypotheses[0].translated_text
        *deltas, last = client.call(
            SERVICE, "StreamTranslateText", {"request": {"contents": [TEXT]}}
        )
        assert "".join(message.delta.text for message in deltas) == target
        assert last.result.translations == best.translations
        _, result = client.call(
            SERVICE, "TranslateBatch", {"config": {}}, {"item": {"id": 3, "content": TEXT}}
        )
        assert result.result.translation == best.translations[0]
        pairs = [{"source_text": TEXT, "target_text": target}]
        assert client.call(SERVICE, "ScoreText", {"pairs": pairs}).scores[0].token_count
        assert client.call(SERVICE, "TokenizeText", {"contents": [TEXT]}).texts[0].tokens
        assert client.call(SERVICE, "ListModels", {}).models
        assert client.call(SERVICE, "GetServerInfo", {}).version
        assert client.call("grpc.health.v1.Health", "Check", {"service": SERVICE}).status == 1
    with grpc.insecure_channel(server.wait_for(r"admin on +(\S+)")[1]) as channel:
        assert ADMIN in Reflected(channel).services
        assert Reflected(channel).call(ADMIN, "VerifyModel", {"model": "en-fr"}).passed


def sound_requests():
    """A message of every method that has one, by its path; those that end things are left out."""
    public, admin = translation_service_pb2, admin_service_pb2
    everything = {
        "contents": [TEXT, " ", "x"],
        "source_language_code": "en",
        "target_language_code": "fr",
        "model": "en-fr",
        "decoding": {"beam_size": 2, "max_tokens": 8, "sampling": {"seed": 1}},
        "output": {"tokens": True, "alignments": True, "sentences": True},
        "text": {"long_input": "LONG_INPUT_POLICY_ERROR"},
        "labels": {"a": "b"},
        "request_id": "name",
        "priority": "PRIORITY_NORMAL",
    }
    small = {**everything, "decoding": {"beam_size": 1, "max_tokens": 8}}
    pairs = [{"source_text": TEXT, "target_text": "Appuyez."}]
    return {
        f"/{SERVICE}/TranslateText": public.TranslateTextRequest(**small),
        f"/{SERVICE}/StreamTranslateText": public.StreamTranslateTextRequest(request=everything),
        f"/{SERVICE}/TranslateBatch": public.TranslateBatchRequest(
            item={"id": 1, "content": TEXT, "decoding": {"beam_size": 2}}
        ),
        f"/{SERVICE}/ScoreText": public.ScoreTextRequest(
            pairs=pairs, output={"attention": True}, model="en-fr"
        ),
        f"/{SERVICE}/TokenizeText": public.TokenizeTextRequest(contents=[TEXT], model="en-fr"),
        f"/{SERVICE}/ListModels": public.ListModelsRequest(page_size=3, page_token="1"),
        f"/{SERVICE}/ListLanguagePairs": public.ListLanguagePairsRequest(model="en-fr"),
        f"/{SERVICE}/GetModel": public.GetModelRequest(model="en-fr"),
        f"/{SERVICE}/GetServerInfo": public.GetServerInfoRequest(),
        f"/{ADMIN}/LoadModel": admin.LoadModelRequest(bundle="a", variant="int8"),
        f"/{ADMIN}/SetDefaultModel": admin.SetDefaultModelRequest(model="en-fr"),
        f"/{ADMIN}/VerifyModel": admin.VerifyModelRequest(model="en-fr", contents=["x"]),
    }


def mutated(raw, draw):
    """Return bytes with a few faults: flipped bits, cuts, copies, insertions."""
    content = bytearray(raw)
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(content) + 1)
        match draw.randrange(5):
            case 0 if place < len(content):
                content[place] ^= 1 << draw.randrange(8)
            case 1:
                del content[place : place + draw.randint(1, 6)]
            case 2:
                content[place:place] = draw.randbytes(draw.randint(1, 6))
            case 3:
                content[place:place] = content[draw.randrange(len(content) + 1) :][:16]
            case _ if place < len(content):
                content[place] = draw.choice((0, 0x7F, 0x80, 0xFF))
    return bytes(content)


DECLARED = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}


async def send(main, admin, path, raw):
    """Send bytes to a method, and return the code of the answer."""
    channel = admin if ADMIN in path else main
    try:
        if path.endswith("TranslateBatch"):
            config = translation_service_pb2.TranslateBatchRequest(config={})
            call = channel.stream_stream(path)(iter([config.SerializeToString(), raw]), timeout=60)
            async for _ in call:
                pass
        elif path.endswith("StreamTranslateText"):
            async for _ in channel.unary_stream(path)(raw, timeout=60):
                pass
        else:
            await channel.unary_unary(path)(raw, timeout=60)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize(
    "count", [300, pytest.param(10_000, marks=[pytest.mark.deep, pytest.mark.timeout(1800)])]
)
async def test_noise_is_answered_with_declared_codes_and_nothing_breaks(server, seed, count):
    draw = random.Random(seed)
    sound = {path: request.SerializeToString() for path, request in sound_requests().items()}
    codes = Counter()
    places = asyncio.Semaphore(16)

    async def one(path, raw, channels):
        async with places:
            code = await send(*channels, path, raw)
        assert code in DECLARED, (path, raw, code)
        codes[code] += 1

    address = server.wait_for(r"admin on +(\S+)")[1]
    async with (
        grpc.aio.insecure_channel(server.address) as main,
        grpc.aio.insecure_channel(address) as admin,
    ):
        channels = main, admin
        for path, raw in sound.items():
            assert await send(main, admin, path, raw) in DECLARED
        async with asyncio.TaskGroup() as tasks:
            for _ in range(count):
                path = draw.choice(sorted(sound))
                tasks.create_task(one(path, mutated(sound[path], draw), channels))
        good = f"/{SERVICE}/TranslateText"
        assert await send(main, admin, good, sound[good]) is grpc.StatusCode.OK
    assert codes[grpc.StatusCode.INVALID_ARGUMENT] > count / 10
    assert codes[grpc.StatusCode.OK] > count / 20
    assert "Traceback" not in server.log
