"""`ferryman serve` before it serves."""

from __future__ import annotations

import os
import signal

import pytest

from ferryman_server import installed_models, loading
from ferryman_server.commands import serve
from ferryman_server.config import load_config
from ferryman_server.start_errors import BundleUnusableError, ConfigError


@pytest.fixture(autouse=True)
def _signals_as_they_were():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_signal_while_the_model_loads_ends_the_process(monkeypatch, tmp_path):
    def load(directory, config):
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("the signal was lost")

    monkeypatch.setattr(loading, "load_bundle", load)
    with pytest.raises(SystemExit) as caught:
        serve.run(load_config({"bundle": str(tmp_path)}))
    assert caught.value.code == 128 + signal.SIGTERM


def test_a_folder_that_is_no_bundle_is_told(tmp_path):
    with pytest.raises(BundleUnusableError, match=str(tmp_path)) as caught:
        serve.run(load_config({"bundle": str(tmp_path)}))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4


def test_no_bundle_and_no_installed_model_is_told(monkeypatch):
    monkeypatch.setattr(installed_models, "entry_points", lambda group: [])
    with pytest.raises(installed_models.ModelNotInstalledError, match="pip install"):
        serve.run(load_config({}))


def test_fewer_rows_than_the_models_beam_are_refused(model):
    class Bundle:
        manifest = model.manifest

    with (
        pytest.raises(ConfigError, match=r"--max-rows: must be at least.*3"),
        loading.running_engine(Bundle(), load_config({"max_rows": "2"})),
    ):
        pass
