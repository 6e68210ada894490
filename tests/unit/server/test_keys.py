"""API keys: what the file has of them, who may call what, and the verb that makes them."""

from __future__ import annotations

import hmac
import json
import stat

import pytest
from typer.testing import CliRunner

from ferryman_server import watched_files
from ferryman_server.commands.keys import app
from ferryman_server.keys import METHODS, PREFIX, KeyRing, make_key, watched_keys
from ferryman_server.start_errors import ConfigError

SERVICE = "ferryman.v1.TranslationService"


def run(*arguments: str):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_a_key_is_shown_once_and_its_digest_kept(tmp_path):
    file = tmp_path / "keys.json"
    result = run("add", file, "website")
    assert result.exit_code == 0
    secret = result.output.strip()
    assert secret.startswith(PREFIX)
    assert len(secret) > 50
    assert secret not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert KeyRing.read(file).holder_of(secret).name == "website"
    assert KeyRing.read(file).holder_of(secret + "x") is None
    assert run("list", file).output.startswith("website\t")


def test_a_removed_key_is_good_for_nothing(tmp_path):
    file = tmp_path / "keys.json"
    secret = run("add", file, "a").output.strip()
    kept = run("add", file, "b").output.strip()
    assert run("remove", file, "a").exit_code == 0
    assert KeyRing.read(file).holder_of(secret) is None
    assert KeyRing.read(file).holder_of(kept).name == "b"
    assert "no key of the name a" in str(run("remove", file, "a").exception)
    assert "already" in str(run("add", file, "b").exception)


def test_rights_are_by_method_and_admin_rights_are_apart():
    _, all_methods = make_key("a")
    _, lists = make_key("b", methods=["ListModels"])
    _, admin = make_key("c", methods=[], admin=True)
    assert all(all_methods.may_call(SERVICE, method) for method in METHODS)
    assert [m for m in METHODS if lists.may_call(SERVICE, m)] == ["ListModels"]
    assert not any(admin.may_call(SERVICE, method) for method in METHODS)
    assert [k.may_call("ferryman.v1.AdminService", "LoadModel") for k in (all_methods, admin)] == [
        False,
        True,
    ]
    assert lists.may_call("grpc.health.v1.Health", "Check")
    assert not lists.may_call("someone.else.Service", "ListModels")


@pytest.mark.parametrize(("name", "methods"), [("two words", None), ("", None), ("a", ["None"])])
def test_what_is_no_name_or_method_makes_no_key(name, methods):
    with pytest.raises(ValueError, match=r"^(name|methods)"):
        make_key(name, methods=methods)


def test_all_keys_are_compared_in_constant_time_whichever_it_is(monkeypatch):
    made = [make_key(f"k{number}") for number in range(5)]
    ring = KeyRing([key for _, key in made])
    compared = []
    compare = hmac.compare_digest

    def counted(one: str, other: str) -> bool:
        compared.append(one)
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", counted)
    for secret in (made[0][0], made[4][0], "nobody's"):
        compared.clear()
        ring.holder_of(secret)
        assert compared == [key.sha256 for key in ring.keys]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"format": "other"}',
        json.dumps({"keys": [{"name": "a", "sha256": "0" * 64}]}),
        json.dumps({"keys": [{"name": "a", "sha256": "x", "created": "2026-11-21"}]}),
        json.dumps({"keys": [{"name": "a", "sha256": "0" * 64, "created": "2026-11-21"}] * 2}),
    ],
)
def test_a_file_that_is_no_file_of_keys_is_refused(tmp_path, content):
    file = tmp_path / "keys.json"
    file.write_text(content)
    with pytest.raises(ConfigError, match="--keys-file"):
        watched_keys(file)


def test_a_changed_file_is_read_again_and_a_broken_one_changes_nothing(tmp_path, monkeypatch):
    file = tmp_path / "keys.json"
    old = run("add", file, "old").output.strip()
    watched = watched_keys(file)
    monkeypatch.setattr(watched_files, "_LOOK_SECONDS", 0)
    file.write_text("{")
    assert watched.value().holder_of(old).name == "old"
    file.unlink()
    new = run("add", file, "new").output.strip()
    assert watched.value().holder_of(old) is None
    assert watched.value().holder_of(new).name == "new"
