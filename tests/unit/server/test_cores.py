"""Cores that the scheduler allows and the container pays for, from files as the kernel has them."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from ferryman_server.cores import cgroup_quota, usable_cores


def machine(root: Path, membership: str, files: dict[str, str]) -> Path:
    for path, text in ({"proc/self/cgroup": membership} | files).items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


V1 = "sys/fs/cgroup/cpu,cpuacct"
CASES = {
    "no groups at all": ("", {}, math.inf),
    "v2 in a container": ("0::/\n", {"sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
    "v2 without a quota": ("0::/\n", {"sys/fs/cgroup/cpu.max": "max 100000\n"}, math.inf),
    "v2 limited by a parent": (
        "0::/kubepods/pod1/app\n",
        {
            "sys/fs/cgroup/kubepods/pod1/app/cpu.max": "max 100000\n",
            "sys/fs/cgroup/kubepods/pod1/cpu.max": "200000 100000\n",
            "sys/fs/cgroup/kubepods/cpu.max": "800000 100000\n",
        },
        2.0,
    ),
    "v1": (
        "4:cpu,cpuacct:/docker/abc\n2:memory:/docker/abc\n",
        {
            f"{V1}/docker/abc/cpu.cfs_quota_us": "50000\n",
            f"{V1}/docker/abc/cpu.cfs_period_us": "100000\n",
        },
        0.5,
    ),
    "v1 mounted under its short name, limited at the root": (
        "4:cpu:/docker/abc\n",
        {
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "300000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
        3.0,
    ),
    "v1 without a quota": (
        "4:cpu,cpuacct:/\n",
        {f"{V1}/cpu.cfs_quota_us": "-1\n", f"{V1}/cpu.cfs_period_us": "100000\n"},
        math.inf,
    ),
    "nonsense": ("0::/\n", {"sys/fs/cgroup/cpu.max": "a b c\n"}, math.inf),
}


@pytest.mark.parametrize("case", CASES)
def test_the_quota_is_read(tmp_path, case):
    membership, files, expected = CASES[case]
    assert cgroup_quota(machine(tmp_path, membership, files)) == expected


def test_half_a_core_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    membership, files, _ = CASES["v1"]
    assert usable_cores(machine(tmp_path, membership, files)) == 1


def test_the_smaller_of_affinity_and_quota_counts(tmp_path, monkeypatch):
    membership, files, _ = CASES["v2 limited by a parent"]
    root = machine(tmp_path, membership, files)
    for allowed, expected in ((1, 1), (2, 2), (64, 2)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, n=allowed: set(range(n)))
        assert usable_cores(root) == expected


def test_this_machine_has_at_least_one_core():
    assert 1 <= usable_cores() <= len(os.sched_getaffinity(0))
