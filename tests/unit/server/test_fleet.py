"""Models that come and go under calls: over real sockets, with engines that tests hold."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from contextlib import asynccontextmanager

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ferryman.v1 import model_pb2
from ferryman.v1.admin_service_pb2 import (
    DrainRequest,
    LoadModelRequest,
    SetDefaultModelRequest,
    UnloadModelRequest,
    VerifyModelRequest,
    WatchModelsRequest,
)
from ferryman.v1.admin_service_pb2_grpc import AdminServiceStub
from ferryman.v1.translation_service_pb2 import (
    ListLanguagePairsRequest,
    ListModelsRequest,
    TranslateTextRequest,
)
from ferryman.v1.translation_service_pb2_grpc import TranslationServiceStub
from ferryman_server.fleet import Fleet, Loaded
from ferryman_server.keys import KeyRing, make_key, watched_keys
from ferryman_server.security import Security
from ferryman_server.start_errors import BundleUnusableError

INVALID = grpc.StatusCode.INVALID_ARGUMENT
MISSING = grpc.StatusCode.NOT_FOUND
REFUSED = grpc.StatusCode.FAILED_PRECONDITION


class Dock:
    """Where bundles of any name are loaded from: their content says what becomes of them."""

    def __init__(self, root, model_for, manifest_for, engine_for):
        self.root = root
        self.closed = []
        self.may_load = threading.Event()
        self.may_load.set()
        self.engines = {}
        self._make = model_for, manifest_for, engine_for

    def bundle(self, name, *, version="1.2.3", pair="en-fr", faulty=""):
        (self.root / name).write_text(f"{name.partition('@')[0]} {version} {pair} {faulty}")
        return name

    def load(self, path, variant):
        assert self.may_load.wait(30)
        name, version, pair, faulty = path.read_text().split(" ")
        if faulty:
            raise BundleUnusableError(f"{path.name}: {faulty}")
        model_for, manifest_for, engine_for = self._make
        engine = engine_for()
        manifest = manifest_for(name, [pair]).model_copy(update={"version": version})
        model = model_for(engine, manifest)
        self.engines[model.full_name] = engine
        return Loaded(model, engine, lambda: self.closed.append(model.full_name))

    def fleet(self, *bundles, root=True):
        loaded = [self.load(self.root / name, None) for name in bundles]
        return Fleet(loaded, self.load, root=self.root if root else None, drain_seconds=5)


@pytest.fixture
def dock(tmp_path, model_for, manifest_for, engine):
    return Dock(tmp_path, model_for, manifest_for, type(engine))


@pytest.fixture
def commanded(serving):
    """Serve a fleet, with stubs to both ports."""

    @asynccontextmanager
    async def serve(fleet, **options):
        async with serving(fleet=fleet, **options) as (server, channel):
            address = f"127.0.0.1:{server.admin_port}"
            async with grpc.aio.insecure_channel(address) as admin:
                yield server, TranslationServiceStub(channel), AdminServiceStub(admin)

    return serve


async def answer(stub, text="x", **fields):
    response = await stub.TranslateText(TranslateTextRequest(contents=[text], **fields))
    return response.model, response.translations[0].hypotheses[0].translated_text


async def test_a_version_is_loaded_beside_made_current_and_the_old_one_let_go(
    dock, commanded, fails
):
    old, new = dock.bundle("m"), dock.bundle("m@2", version="2.0.0")
    async with commanded(dock.fleet(old)) as (_, stub, admin):
        loaded = await admin.LoadModel(LoadModelRequest(bundle=new))
        assert (loaded.model.version, loaded.model.is_current) == ("2.0.0", False)
        assert await answer(stub) == ("m@1.2.3", "X")
        assert await answer(stub, model="m@2.0.0") == ("m@2.0.0", "X")

        change = await admin.SetDefaultModel(SetDefaultModelRequest(model="m@2.0.0"))
        assert change.previous_model == change.previous_default_model == "m@1.2.3"
        assert change.model.is_default
        for name in ("", "m"):
            assert await answer(stub, model=name) == ("m@2.0.0", "X")

        undone = await admin.SetDefaultModel(SetDefaultModelRequest(model=change.previous_model))
        assert undone.previous_model == "m@2.0.0"
        assert await answer(stub) == ("m@1.2.3", "X")
        await admin.SetDefaultModel(SetDefaultModelRequest(model="m@2.0.0"))

        assert (await admin.UnloadModel(UnloadModelRequest(model="m@1.2.3"))).finished
        assert dock.closed == ["m@1.2.3"]
        await fails(answer(stub, model="m@1.2.3"), MISSING)
        models = (await stub.ListModels(ListModelsRequest())).models
        assert [(model.version, model.is_default) for model in models] == [("2.0.0", True)]


async def test_a_model_finishes_what_it_has_before_it_is_let_go(dock, commanded, eventually):
    old, new = dock.bundle("m"), dock.bundle("m@2", version="2.0.0")
    fleet = dock.fleet(old)
    async with commanded(fleet) as (_, stub, admin):
        dock.engines["m@1.2.3"].holds = True
        under_way = asyncio.ensure_future(answer(stub))
        await eventually(lambda: dock.engines["m@1.2.3"].submissions == 1)
        await admin.LoadModel(LoadModelRequest(bundle=new, set_default=True))
        unloading = asyncio.ensure_future(admin.UnloadModel(UnloadModelRequest(model="m@1.2.3")))
        await eventually(lambda: len(fleet.statuses()) == 2)
        assert await answer(stub) == ("m@2.0.0", "X")
        await asyncio.sleep(0.05)
        assert dock.closed == []
        dock.engines["m@1.2.3"].release()
        assert await under_way == ("m@1.2.3", "X")
        assert (await unloading).finished
        assert dock.closed == ["m@1.2.3"]


async def test_a_model_that_takes_too_long_is_cut_off_and_that_is_told(dock, commanded, eventually):
    old, new = dock.bundle("m"), dock.bundle("m@2", version="2.0.0")
    async with commanded(dock.fleet(old)) as (_, stub, admin):
        dock.engines["m@1.2.3"].holds = True
        under_way = asyncio.ensure_future(answer(stub))
        await eventually(lambda: dock.engines["m@1.2.3"].submissions == 1)
        await admin.LoadModel(LoadModelRequest(bundle=new, set_default=True))
        request = UnloadModelRequest(model="m@1.2.3", drain_timeout={"nanos": 50_000_000})
        assert not (await admin.UnloadModel(request)).finished
        assert dock.closed == ["m@1.2.3"]
        under_way.cancel()


async def test_what_is_in_use_is_not_unloaded(dock, commanded, fails):
    names = [dock.bundle("m"), dock.bundle("other", pair="en-de")]
    newer = dock.bundle("other@2", version="2.0.0", pair="en-de")
    async with commanded(dock.fleet(*names)) as (_, stub, admin):
        await admin.LoadModel(LoadModelRequest(bundle=newer))
        for name in ("m@1.2.3", "m", "other@1.2.3"):
            details = await fails(admin.UnloadModel(UnloadModelRequest(model=name)), REFUSED)
            assert details["ErrorInfo"].reason == "MODEL_IN_USE"
        await fails(admin.UnloadModel(UnloadModelRequest(model="none")), MISSING)
        assert (await admin.UnloadModel(UnloadModelRequest(model="other@2.0.0"))).finished
        assert (await admin.UnloadModel(UnloadModelRequest(model="other"))).finished
        assert await answer(stub) == ("m@1.2.3", "X")


async def test_swapping_one_name_leaves_the_default_model_alone(dock, commanded):
    names = [dock.bundle("m"), dock.bundle("other", pair="en-de")]
    newer = dock.bundle("other@2", version="2.0.0", pair="en-de")
    async with commanded(dock.fleet(*names)) as (_, stub, admin):
        loaded = await admin.LoadModel(LoadModelRequest(bundle=newer, set_default=True))
        assert loaded.previous_model == "other@1.2.3"
        assert (await answer(stub))[0] == "m@1.2.3"
        assert (await answer(stub, target_language_code="de"))[0] == "other@2.0.0"
        await admin.SetDefaultModel(
            SetDefaultModelRequest(model="other@2.0.0", server_default=True)
        )
        assert (await answer(stub))[0] == "other@2.0.0"


@pytest.mark.parametrize(
    "path", ["", ".", "..", "../secret", "/etc/passwd", "m/../..", "link", "\0"]
)
async def test_no_bundle_is_loaded_from_elsewhere(dock, commanded, fails, tmp_path, path):
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret").write_text("m 9 en-fr ")
    (inside / "link").symlink_to(tmp_path / "secret")
    dock.root = inside
    async with commanded(dock.fleet(dock.bundle("m"))) as (_, _, admin):
        details = await fails(admin.LoadModel(LoadModelRequest(bundle=path)), INVALID)
    assert details["BadRequest"].field_violations[0].field == "bundle"


async def test_a_bundle_that_cannot_be_used_changes_nothing_and_is_told(dock, commanded, fails):
    name, bad = dock.bundle("m"), dock.bundle("bad", faulty="damaged")
    fleet = dock.fleet(name)
    async with commanded(fleet) as (_, stub, admin):
        details = await fails(admin.LoadModel(LoadModelRequest(bundle=bad)), REFUSED)
        assert details["ErrorInfo"].reason == "BUNDLE_UNUSABLE"
        assert details["ResourceInfo"].description == "bad: damaged"
        details = await fails(admin.LoadModel(LoadModelRequest(bundle="none")), MISSING)
        assert details["ErrorInfo"].reason == "BUNDLE_NOT_FOUND"
        exists = grpc.StatusCode.ALREADY_EXISTS
        await fails(admin.LoadModel(LoadModelRequest(bundle=name)), exists)
        assert dock.closed == ["m@1.2.3"], "what was loaded for nothing is freed"
        assert await answer(stub) == ("m@1.2.3", "X")
        first = await admin.WatchModels(WatchModelsRequest()).read()
    states = [(model.name, model.state, model.state_message) for model in first.models]
    failed = model_pb2.MODEL_STATE_FAILED
    assert states[0] == ("m", model_pb2.MODEL_STATE_READY, "")
    assert ("bad", failed, "bad: damaged") in states


async def test_without_a_folder_nothing_is_loaded(dock, commanded, fails):
    async with commanded(dock.fleet(dock.bundle("m"), root=False)) as (_, _, admin):
        details = await fails(admin.LoadModel(LoadModelRequest(bundle="m")), REFUSED)
    assert details["ErrorInfo"].reason == "ADMIN_DISABLED"


async def test_who_watches_sees_every_state_and_health_follows(dock, commanded, eventually):
    name, new = dock.bundle("m"), dock.bundle("m@2", version="2.0.0")
    async with commanded(dock.fleet(name)) as (server, _, admin):
        watch = admin.WatchModels(WatchModelsRequest())

        async def states():
            return [(m.name, m.version, m.state) for m in (await watch.read()).models]

        ready, draining = model_pb2.MODEL_STATE_READY, model_pb2.MODEL_STATE_DRAINING
        assert await states() == [("m", "1.2.3", ready)]
        dock.may_load.clear()
        loading = asyncio.ensure_future(admin.LoadModel(LoadModelRequest(bundle=new)))
        assert await states() == [
            ("m", "1.2.3", ready),
            ("m@2", "", model_pb2.MODEL_STATE_LOADING),
        ]
        dock.may_load.set()
        await loading
        assert await states() == [("m", "1.2.3", ready), ("m", "2.0.0", ready)]
        await admin.UnloadModel(UnloadModelRequest(model="m@2.0.0"))
        assert await states() == [("m", "1.2.3", ready), ("m", "2.0.0", draining)]
        assert await states() == [("m", "1.2.3", ready)]
        watch.cancel()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            health = health_pb2_grpc.HealthStub(channel)

            async def status(service):
                reply = await health.Check(health_pb2.HealthCheckRequest(service=service))
                return health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status)

            assert await status("model/m") == await status("model/m@1.2.3") == "SERVING"
            assert await status("model/m@2.0.0") == "NOT_SERVING"


async def test_who_leaves_while_a_bundle_is_loaded_stops_nothing(dock, commanded, eventually):
    name, new = dock.bundle("m"), dock.bundle("m@2", version="2.0.0")
    fleet = dock.fleet(name)
    async with commanded(fleet) as (_, stub, admin):
        dock.may_load.clear()
        call = admin.LoadModel(LoadModelRequest(bundle=new))
        await asyncio.sleep(0.05)
        call.cancel()
        dock.may_load.set()
        await eventually(lambda: len(fleet.catalogue.models) == 2)
        assert await answer(stub, model="m@2.0.0") == ("m@2.0.0", "X")


async def test_two_models_are_compared(dock, commanded, fails):
    names = [dock.bundle("m"), dock.bundle("other")]
    async with commanded(dock.fleet(*names)) as (_, _, admin):
        same = await admin.VerifyModel(
            VerifyModelRequest(model="m", against_model="other", contents=["a", "b"])
        )
        assert (same.passed, same.compared_sentences, list(same.differences)) == (True, 2, [])
        request = VerifyModelRequest(model="m", contents=["a"])
        await fails(admin.VerifyModel(request), INVALID)


async def test_draining_by_command_refuses_calls_and_leaves_the_process(dock, commanded, fails):
    async with commanded(dock.fleet(dock.bundle("m"))) as (_, stub, admin):
        assert (await admin.Drain(DrainRequest())).finished
        await fails(answer(stub), grpc.StatusCode.UNAVAILABLE)
        assert (await admin.Drain(DrainRequest(timeout={"seconds": 1}))).finished
        await fails(admin.Drain(DrainRequest(timeout={"seconds": -1})), INVALID)


async def test_two_models_translate_over_a_third_language(dock, commanded, fails):
    names = [dock.bundle("first", pair="de-en"), dock.bundle("second", pair="en-fr")]
    async with commanded(dock.fleet(*names)) as (_, stub, _):
        languages = {"source_language_code": "de", "target_language_code": "fr"}
        response = await stub.TranslateText(
            TranslateTextRequest(
                contents=["Eins. Zwei.", " ", "x" * 200],
                decoding={"num_hypotheses": 2},
                text={"long_input": "LONG_INPUT_POLICY_ERROR"},
                **languages,
            )
        )
        refused = TranslateTextRequest(contents=["x"], output={"tokens": True}, **languages)
        details = await fails(stub.TranslateText(refused), REFUSED)
        unnamed = TranslateTextRequest(contents=["x"], model="second", **languages)
        await fails(stub.TranslateText(unnamed), INVALID)
        pairs = (await stub.ListLanguagePairs(ListLanguagePairsRequest())).language_pairs
    both, blank, long = response.translations
    assert [h.translated_text for h in both.hypotheses] == ["EINS. ZWEI.", "EINS.! ZWEI.!"]
    assert list(both.route) == list(blank.route) == ["de", "en", "fr"]
    assert long.error.code == INVALID.value[0]
    assert response.model == "first@1.2.3, second@1.2.3"
    assert (response.source_language_code, response.target_language_code) == ("de", "fr")
    assert response.usage.sentences == 4
    assert details["ErrorInfo"].metadata["feature"] == "output.tokens"
    found = [(p.source_language_code, p.target_language_code, list(p.route)) for p in pairs]
    assert found == [("de", "en", []), ("de", "fr", ["de", "en", "fr"]), ("en", "fr", [])]
    assert list(pairs[1].models) == ["first@1.2.3", "second@1.2.3"]


async def test_nothing_holds_a_model_that_was_let_go(dock, commanded):
    old, new = dock.bundle("m"), dock.bundle("m@2", version="2.0.0")
    fleet = dock.fleet(old)
    async with commanded(fleet) as (_, stub, admin):
        watch = admin.WatchModels(WatchModelsRequest())
        await watch.read()
        forgotten = weakref.ref(dock.engines.pop("m@1.2.3"))
        await answer(stub)
        await admin.LoadModel(LoadModelRequest(bundle=new, set_default=True))
        await admin.UnloadModel(UnloadModelRequest(model="m@1.2.3"))
        while len((await watch.read()).models) != 1:
            pass
        gc.collect()
        assert forgotten() is None
        watch.cancel()


async def test_a_key_without_the_right_commands_nothing(dock, serving, tmp_path, fails):
    (secret, key), (admin_secret, admin_key) = make_key("a"), make_key("b", admin=True)
    KeyRing([key, admin_key]).write(tmp_path / "keys.json")
    security = Security(keys=watched_keys(tmp_path / "keys.json"))
    fleet = dock.fleet(dock.bundle("m"))
    async with serving(fleet=fleet, security=security) as (server, _):
        address = f"127.0.0.1:{server.admin_port}"
        async with grpc.aio.insecure_channel(address) as channel:
            stub = AdminServiceStub(channel)
            call = stub.Drain(DrainRequest(), metadata=[("x-api-key", secret)])
            await fails(call, grpc.StatusCode.PERMISSION_DENIED)
            await fails(stub.Drain(DrainRequest()), grpc.StatusCode.UNAUTHENTICATED)
            assert server.calls_under_way == 0
            verified = stub.VerifyModel(
                VerifyModelRequest(model="m"), metadata=[("x-api-key", admin_secret)]
            )
            assert (await verified).passed
