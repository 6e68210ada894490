"""Servers that are measured: started, called, ended."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from benchmarks.serving_processes import Caller, ServerError, ctranslate2_server, ferryman_server

BUNDLE = Path(__file__).parents[3] / "models" / "en-fr" / "ferryman_model_en_fr" / "bundle"
CORE = min(os.sched_getaffinity(0))


async def translation(address: str) -> str:
    async with Caller(address) as call:
        response = await call("Open the file.")
        return response.translations[0].hypotheses[0].translated_text


@pytest.mark.slow
async def test_ferryman_serves_and_is_gone_afterwards():
    with ferryman_server(BUNDLE, CORE) as address:
        assert "fichier" in await translation(address)
    with (
        pytest.raises(ServerError, match="no-such-bundle"),
        ferryman_server(Path("no-such-bundle"), CORE),
    ):
        pass


@pytest.mark.slow
async def test_the_rival_gives_the_same_answer_behind_its_micro_batcher(tmp_path):
    pytest.importorskip("ctranslate2", reason="CTranslate2 is in the benchmark's environment only")
    from benchmarks.ctranslate2_format import convert

    from ferryman_bundle import Bundle

    convert(Bundle.load(BUNDLE), tmp_path)
    rival = ctranslate2_server(tmp_path, BUNDLE, CORE, max_batch_size=8, wait_milliseconds=1)
    with rival as theirs, ferryman_server(BUNDLE, CORE) as ours:
        assert await translation(theirs) == await translation(ours)
