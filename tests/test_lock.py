"""The lock names one public version of all that is asked for, and nothing of the machine that wrote it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests import lock

LINES = [line for line in lock.LOCK.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
LOCKED = {canonicalize_name(each.name): each for each in map(Requirement, LINES)}
LAPTOP = {"platform_system": "Darwin", "sys_platform": "darwin", "platform_machine": "arm64"}


def version(requirement: Requirement) -> Version:
    (only,) = requirement.specifier
    assert only.operator == "=="
    return Version(only.version)


def test_every_line_is_one_public_version():
    assert len(LOCKED) == len(LINES)
    for each in LOCKED.values():
        assert (each.url, each.extras, version(each).local) == (None, set(), None), each


@pytest.mark.parametrize("asked", list(lock.asked()), ids=lambda each: each.name)
def test_all_that_is_asked_for_is_locked_at_a_version_that_will_do(asked: Requirement):
    name = canonicalize_name(asked.name)
    assert name in LOCKED, "run: make lock"
    assert asked.specifier.contains(version(LOCKED[name])), "run: make lock"
    assert asked.marker is None or str(LOCKED[name].marker) == str(asked.marker), "run: make lock"


def test_what_only_some_platforms_have_is_locked_only_there():
    for_laptop = {name for name, each in LOCKED.items() if each.marker is None or each.marker.evaluate(LAPTOP)}
    assert {"torch", "xllamacpp", "nvidia-ml-py"} <= for_laptop
    assert not {name for name in for_laptop if lock.GPU.match(name)}


def test_a_lock_has_no_local_versions_and_keeps_the_markers_of_the_requirements():
    asked = [Requirement("Some_Thing>=1; platform_machine == 'arm64'"), Requirement("torch>=2")]
    text = lock.written({"torch": "2.9.1+cpu", "some-thing": "1.2", "triton": "3.8"}, asked)
    assert text.removeprefix(lock.HEAD).splitlines() == [
        'some-thing==1.2; platform_machine == "arm64"',
        "torch==2.9.1",
        f"triton==3.8; {lock.GPU_MARKER}",
    ]


def test_drift_is_what_pip_would_change():
    installs = [("Some_Thing", "1.3"), ("torch", "2.9.1"), ("newcomer", "0.1")]
    report = {"install": [{"metadata": {"name": name, "version": number}} for name, number in installs]}
    assert lock.drift(report, {"some-thing": "1.2", "torch": "2.9.1"}) == [
        "newcomer: not needed -> 0.1",
        "some-thing: 1.2 -> 1.3",
    ]


def raising(error: Exception) -> Callable[[], str]:
    def ask() -> str:
        raise error

    return ask


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (raising(subprocess.TimeoutExpired("pip", 240)), "did not answer within 240 s"),
        (raising(subprocess.CalledProcessError(1, "pip", stderr="a\nERROR: no network\n")), "ERROR: no network"),
        (raising(subprocess.CalledProcessError(1, "pip")), "pip says: nothing"),
        (raising(OSError("no pip")), "no pip"),
        (lambda: "no JSON", "cannot be read"),
        (lambda: "[]", "cannot be read"),
        (lambda: '{"install": []}', "would change 0 packages."),
    ],
)
def test_drift_that_cannot_be_told_is_said_and_fails_nothing(ask: Callable[[], str], said: str):
    assert said in lock.told(ask, {})
