"""Versions of a model swapped under load, in a real process over real sockets."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections import Counter
from pathlib import Path

import grpc
import pytest

from ferryman.v1.admin_service_pb2 import (
    LoadModelRequest,
    SetDefaultModelRequest,
    UnloadModelRequest,
    VerifyModelRequest,
)
from ferryman.v1.admin_service_pb2_grpc import AdminServiceStub
from ferryman.v1.translation_service_pb2 import (
    StreamTranslateTextRequest,
    TranslateBatchRequest,
    TranslateTextRequest,
)
from ferryman.v1.translation_service_pb2_grpc import TranslationServiceStub
from ferryman_bundle.document import seal_of

BUNDLE = Path(__file__).parents[2] / "models/en-fr/ferryman_model_en_fr/bundle"
FLAGS = ("--workers", "1", "--trial-seconds", "0", "--admin-address", "127.0.0.1:0")
TEXT = "Press any key to continue."


def version_of(number):
    return f"7.{number}.0"


def penalty_of(version):
    """The length penalty by which a version is known: every answer tells with which it was made."""
    return 0.5 + int(version.split(".")[1]) / 100


def make_version(root, number, *, is_damaged=False, **changes):
    """Make another version of the default model, or one of which a byte of the weights is wrong."""
    folder = root / f"v{number}{'-damaged' if is_damaged else ''}"
    folder.mkdir()
    for file in BUNDLE.iterdir():
        if file.name == "weights.safetensors" and is_damaged:
            content = bytearray(file.read_bytes())
            content[len(content) // 2] ^= 1
            (folder / file.name).write_bytes(content)
        elif not file.name.startswith("manifest."):
            shutil.copy(file, folder)
    manifest = json.loads((BUNDLE / "manifest.json").read_text())
    manifest["version"] = version_of(number)
    manifest["generation"]["length_penalty"] = penalty_of(version_of(number))
    written = (json.dumps(manifest | changes) + "\n").encode()
    (folder / "manifest.json").write_bytes(written)
    (folder / "manifest.sha256").write_bytes(seal_of(written))
    return folder.name


class Load:
    """Callers of every kind that never stop, and what they got."""

    def __init__(self, address):
        self.versions = Counter()
        self.faults = []
        self._stop = threading.Event()
        self._channel = grpc.insecure_channel(address)
        stub = TranslationServiceStub(self._channel)
        self._threads = [
            threading.Thread(target=self._keep_calling, args=(call, stub))
            for call in (_unary, _stream, _batch)
        ]

    def _keep_calling(self, call, stub):
        while not self._stop.is_set():
            try:
                for model, penalty in call(stub):
                    version = model.removeprefix("en-fr@")
                    if version.startswith("7."):
                        assert penalty == pytest.approx(penalty_of(version)), model
                    self.versions[version] += 1
            except Exception as error:
                self.faults.append(error)
                return

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._channel.close()

    def wait_for(self, version):
        """Wait until an answer came from a version."""
        give_up = time.monotonic() + 60
        while not self.versions[version]:
            assert not self.faults, self.faults
            assert time.monotonic() < give_up, f"no answer from {version}"
            time.sleep(0.01)


def _unary(stub):
    response = stub.TranslateText(TranslateTextRequest(contents=[TEXT] * 2), timeout=60)
    yield response.model, response.decoding.length_penalty


def _stream(stub):
    request = StreamTranslateTextRequest(request=TranslateTextRequest(contents=[TEXT]))
    *_, last = stub.StreamTranslateText(request, timeout=60)
    yield last.result.model, last.result.decoding.length_penalty


def _batch(stub):
    def requests():
        yield TranslateBatchRequest(config=TranslateTextRequest())
        for number in range(20):
            yield TranslateBatchRequest(item={"id": number, "content": TEXT})

    _, *results = stub.TranslateBatch(requests(), timeout=60)
    assert len(results) == 20
    for message in results:
        assert not message.result.translation.HasField("error"), message
        version = message.result.model.removeprefix("en-fr@")
        yield message.result.model, penalty_of(version) if version.startswith("7.") else 1.0


@pytest.mark.parametrize(
    ("swaps", "damaged"), [(2, 1), pytest.param(50, 10, marks=pytest.mark.deep)]
)
def test_swapping_under_load_fails_no_call_and_mixes_no_versions(serving, tmp_path, swaps, damaged):
    root = tmp_path / "bundles"
    root.mkdir()
    shutil.copytree(BUNDLE, tmp_path / "first")
    with (
        serving(tmp_path / "first", *FLAGS, "--models-root", str(root)) as server,
        Load(server.address) as load,
        grpc.insecure_channel(server.wait_for(r"admin on +(\S+)")[1]) as channel,
    ):
        admin = AdminServiceStub(channel)
        previous = None
        for number in range(1, swaps + 1):
            if number % max(1, swaps // damaged) == 0:
                bad = make_version(root, number, is_damaged=True)
                with pytest.raises(grpc.RpcError) as caught:
                    admin.LoadModel(LoadModelRequest(bundle=bad))
                assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
            loaded = admin.LoadModel(
                LoadModelRequest(bundle=make_version(root, number), set_default=True)
            )
            load.wait_for(version_of(number))
            assert admin.UnloadModel(UnloadModelRequest(model=loaded.previous_model)).finished
            if previous is not None:
                assert loaded.previous_model == f"en-fr@{previous}"
            previous = version_of(number)
            shutil.rmtree(root / f"v{number}")
    assert load.faults == []
    assert set(load.versions) >= {version_of(number) for number in range(1, swaps + 1)}
    assert "Traceback" not in server.log


def test_a_swap_is_undone_by_one_call_and_verified_against_the_old_version(serving, tmp_path):
    name = make_version(tmp_path, 1)
    with (
        serving(BUNDLE, *FLAGS, "--models-root", str(tmp_path)) as server,
        grpc.insecure_channel(server.address) as main,
        grpc.insecure_channel(server.wait_for(r"admin on +(\S+)")[1]) as channel,
    ):
        stub, admin = TranslationServiceStub(main), AdminServiceStub(channel)
        before = next(_unary(stub))
        loaded = admin.LoadModel(LoadModelRequest(bundle=name))
        assert loaded.model.features
        verified = admin.VerifyModel(
            VerifyModelRequest(model="en-fr@7.1.0", against_model="en-fr", contents=[TEXT])
        )
        assert verified.passed
        assert verified.golden_sentences > 0
        assert verified.compared_sentences == verified.golden_sentences + 1
        change = admin.SetDefaultModel(SetDefaultModelRequest(model="en-fr@7.1.0"))
        assert next(_unary(stub))[0] == "en-fr@7.1.0"
        admin.SetDefaultModel(SetDefaultModelRequest(model=change.previous_model))
        assert next(_unary(stub)) == before


def test_several_bundles_are_served_and_joined_over_a_third_language(serving, tmp_path):
    """The second model is the first under another name: it takes French for English."""
    pairs = [{"source": "fr", "target": "it"}]
    name = make_version(tmp_path, 1, name="second", language_pairs=pairs)
    with (
        serving(BUNDLE, str(tmp_path / name), "--workers", "1", "--trial-seconds", "0") as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        response = TranslationServiceStub(channel).TranslateText(
            TranslateTextRequest(
                contents=[TEXT], source_language_code="en", target_language_code="it"
            )
        )
    assert list(response.translations[0].route) == ["en", "fr", "it"]
    assert response.model.endswith(", second@7.1.0")
    assert response.translations[0].hypotheses[0].translated_text
