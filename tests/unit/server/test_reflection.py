"""Reflection: a client that has nothing of ours but an address."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_reflection.v1alpha import reflection_pb2

TRANSLATE = "/ferryman.v1.TranslationService/TranslateText"


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_a_client_with_reflection_alone_translates(serving, version):
    """No stub of ours: the messages are made from what the server tells."""
    async with serving() as (_, channel):
        reflect = channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )

        async def ask(**question) -> reflection_pb2.ServerReflectionResponse:
            call = reflect()
            await call.write(reflection_pb2.ServerReflectionRequest(**question))
            answer = await call.read()
            await call.done_writing()
            return answer

        listed = await ask(list_services="")
        services = {service.name for service in listed.list_services_response.service}
        assert {"ferryman.v1.TranslationService", "grpc.health.v1.Health"} <= services

        files: dict[str, bytes] = {}
        wanted = [await ask(file_containing_symbol="ferryman.v1.TranslationService")]
        while wanted:
            for raw in wanted.pop().file_descriptor_response.file_descriptor_proto:
                file = descriptor_pb2.FileDescriptorProto.FromString(raw)
                if file.name not in files:
                    files[file.name] = raw
                    wanted += [await ask(file_by_filename=name) for name in file.dependency]
        pool = descriptor_pool.DescriptorPool()
        pending = {
            name: descriptor_pb2.FileDescriptorProto.FromString(r) for name, r in files.items()
        }
        while pending:
            name = next(n for n, f in pending.items() if not set(f.dependency) & set(pending))
            pool.Add(pending.pop(name))
        method = pool.FindMethodByName("ferryman.v1.TranslationService.TranslateText")
        request_type = message_factory.GetMessageClass(method.input_type)
        response_type = message_factory.GetMessageClass(method.output_type)
        response = await channel.unary_unary(
            TRANSLATE,
            request_serializer=request_type.SerializeToString,
            response_deserializer=response_type.FromString,
        )(request_type(contents=["text"]))
    assert response.translations[0].hypotheses[0].translated_text == "TEXT"
