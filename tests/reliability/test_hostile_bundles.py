"""A thousand bundles that mean harm: the process of the trial may die, the caller never does.

All their digests are right. `make test` does every kind of harm once, ``pytest -m deep`` all of it.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from forked_trials import ForkedTrials
from hostile_files import HARM, Parts

from ferryman_bundle import Bundle, BundleError
from ferryman_bundle.sealed import SealedBundle
from ferryman_bundle.writer import write_bundle
from ferryman_server.quarantine import TrialLimits, judge
from ferryman_server.runtime import OnnxRuntime
from ferryman_server.runtime.trial import TrialOrder

STORED = Path(__file__).parents[1] / "data" / "format-1"
LIMITS = TrialLimits(seconds=3, memory_bytes=512 << 20, bundle_bytes=1 << 30)
WALL_SECONDS = 40
"""The processor time of a trial is bounded; others may use the processor as well."""
LONGEST_MESSAGE = 1000

QUICK = {"mutated_manifest": 4, "mutated_graph": 3, "function_chain": 3}
"""How often each kind of harm is done in `make test`, where that is more than once."""
CASES = [
    pytest.param(
        harm,
        turn,
        id=f"{harm.__name__}-{turn}",
        marks=() if turn < QUICK.get(harm.__name__, 1) else (pytest.mark.deep,),
    )
    for harm, turns in HARM
    for turn in range(turns)
]


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    """The bundle that is harmed: a small one, in today's format."""
    path = tmp_path_factory.mktemp("sound") / "bundle"
    stored = SealedBundle.read(STORED)
    write_bundle(path, stored.manifest, stored.contents)
    return SealedBundle.read(path)


@pytest.fixture(scope="session")
def trials():
    with ForkedTrials() as forked:
        yield forked


@pytest.fixture(scope="session")
def ends():
    """How many cases ended in which way; ``pytest -s`` shows it."""
    counted = Counter()
    yield counted
    sys.stderr.write(f"\nhostile bundles: {dict(counted)}\n")


def try_out(trials, sealed, path):
    """Return the end of a trial, and what the caller makes of it."""
    order = TrialOrder(
        path=str(path),
        variant=sealed.manifest.default_variant("cpu"),
        seconds=LIMITS.seconds,
        memory_bytes=LIMITS.memory_bytes,
        bundle_bytes=LIMITS.bundle_bytes,
    )
    code, output = trials.run(order, wall_seconds=WALL_SECONDS)
    return code, judge(code, output, digest=sealed.digest, limits=LIMITS)


def test_the_bundle_that_is_harmed_is_sound(trials, sound, tmp_path):
    path = write(tmp_path / "bundle", Parts.of(sound).sealed())
    assert try_out(trials, SealedBundle.read(path), path) == (0, None)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("harm", "turn"), CASES)
def test_the_caller_survives(trials, sound, ends, tmp_path, seed, harm, turn):
    parts = Parts.of(sound)
    harm(parts, random.Random(f"{seed}/{harm.__name__}/{turn}"))
    path = write(tmp_path / "bundle", parts.sealed())
    begun = time.monotonic()
    try:
        sealed = SealedBundle.read(path)
        code, reason = try_out(trials, sealed, path)
    except BundleError as error:
        ends["refused when read"] += 1
        require_one_line(str(error))
        return
    assert time.monotonic() - begun < WALL_SECONDS + 10
    if reason is not None:
        ends["died" if code < 0 else "refused in the trial"] += 1
        require_one_line(reason)
        return
    ends["harmless"] += 1
    # The trial let it pass, so the caller takes it; this process is the caller.
    bundle = Bundle.open(sealed)
    OnnxRuntime(bundle, variant=sealed.manifest.default_variant("cpu")).verify(bundle)


def write(path, files):
    path.mkdir()
    for name, content in files.items():
        (path / name).write_bytes(content)
    return path


def require_one_line(message):
    assert message.isprintable()
    assert len(message) < LONGEST_MESSAGE


def test_the_harm_was_real(ends):
    """Attacks that all fail to parse would show nothing; these end in every way there is."""
    if ends.total() < 30:
        pytest.skip("only some of the cases were run")
    assert ends.keys() == {"refused when read", "refused in the trial", "died", "harmless"}
