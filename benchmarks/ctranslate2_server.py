"""CTranslate2 behind the same gRPC method as ferryman, with micro-batching, on one thread.

It does what a careful team would write around a library in an afternoon: `grpc.aio`, SentencePiece,
a micro-batcher, and nothing else that takes time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Final, NoReturn

import ctranslate2  # type: ignore  # has no types, and is installed for this benchmark only
import grpc
import typer

from benchmarks.ctranslate2_settings import choose_kernels
from benchmarks.micro_batching import MicroBatcher, Pieces
from ferryman.v1 import translation_pb2, translation_service_pb2
from ferryman_bundle import Bundle
from ferryman_bundle.tokenizer import Tokenizer

_MAX_TOKENS: Final = 256


class Service:
    """Translates texts, each as one sentence, greedily; whatever else a request asks is ignored."""

    def __init__(self, tokenizer: Tokenizer, batcher: MicroBatcher) -> None:
        self._tokenizer = tokenizer
        self._batcher = batcher
        size = tokenizer.vocabulary_size
        self._pieces = [tokenizer.piece(i) for i in range(size)]
        self._ids = {piece: i for i, piece in enumerate(self._pieces)}

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return the one method that is served."""
        method = grpc.unary_unary_rpc_method_handler(
            self.translate_text,
            request_deserializer=translation_service_pb2.TranslateTextRequest.FromString,
            response_serializer=translation_service_pb2.TranslateTextResponse.SerializeToString,
        )
        service = translation_service_pb2.DESCRIPTOR.services_by_name["TranslationService"]
        return grpc.method_handlers_generic_handler(service.full_name, {"TranslateText": method})

    async def translate_text(
        self, request: translation_service_pb2.TranslateTextRequest, _context: object
    ) -> translation_service_pb2.TranslateTextResponse:
        """Translate the texts of a request."""
        sources = [
            [self._pieces[i] for i in self._tokenizer.encode(text)] for text in request.contents
        ]
        found = await asyncio.gather(*map(self._batcher.translate, sources))
        return translation_service_pb2.TranslateTextResponse(
            translations=[
                translation_pb2.Translation(
                    hypotheses=[translation_pb2.Hypothesis(translated_text=self._text(pieces))]
                )
                for pieces in found
            ]
        )

    def _text(self, pieces: Pieces) -> str:
        text: str = self._tokenizer.decode([self._ids[piece] for piece in pieces])
        return text


def main(
    directory: Annotated[Path, typer.Argument(help="The converted model.")],
    bundle: Annotated[Path, typer.Argument(help="That it was converted from.")],
    address: Annotated[str, typer.Option(help="Where to listen.")],
    max_batch_size: Annotated[int, typer.Option(help="Sentences of a batch.")] = 32,
    wait_milliseconds: Annotated[float, typer.Option(help="For company.")] = 2,
) -> None:
    """Serve until ended."""
    choose_kernels()
    translator = ctranslate2.Translator(
        str(directory), compute_type="int8", inter_threads=1, intra_threads=1
    )

    def decode(batch: list[Pieces]) -> Sequence[Pieces]:
        results = translator.translate_batch(
            batch, beam_size=1, max_decoding_length=_MAX_TOKENS, return_scores=False
        )
        return [result.hypotheses[0] for result in results]

    decode([["▁"]])
    with contextlib.suppress(KeyboardInterrupt), ThreadPoolExecutor(1) as executor:
        batcher = MicroBatcher(
            decode,
            executor,
            max_batch_size=max_batch_size,
            wait_seconds=wait_milliseconds / 1000,
        )
        asyncio.run(_serve(Service(Bundle.load(bundle).tokenizer, batcher), batcher, address))


async def _serve(service: Service, batcher: MicroBatcher, address: str) -> NoReturn:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((service.handlers(),))
    server.add_insecure_port(address)
    await server.start()
    await batcher.run()
    raise AssertionError("the batcher runs until it is cancelled")


if __name__ == "__main__":
    typer.run(main)
