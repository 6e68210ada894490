"""The benchmark of a GPU, where there is none."""

from __future__ import annotations

import json

import pytest
import torch

pytest.importorskip("ctranslate2", reason="CTranslate2 is in the benchmark's environment only")

from benchmarks import gpu
from benchmarks.loads import Load

LOAD = Load(((5,),), (("a",),), beam_size=1, group=1, target_tokens=4)


class Working:
    def translate(self, load):
        return [(1,) * load.target_tokens]


class Broken:
    def translate(self, _):
        raise RuntimeError("there is no compiler\nand much more")


def test_a_system_that_cannot_run_is_named_with_what_it_said():
    running, broken = gpu.runnable({"good": Working(), "bad": Broken()}, LOAD)
    assert list(running) == ["good"]
    assert broken == {"bad": "RuntimeError: there is no compiler"}


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_it_says_so_and_measures_nothing(tmp_path, capsys):
    gpu.main(tmp_path / "none", tmp_path / "out")
    assert "finds no GPU" in capsys.readouterr().out
    assert "finds no GPU" in json.loads((tmp_path / "out" / "gpu.json").read_text())["skipped"]
