"""Memory belongs to one process tree; what is not known is None with its reason."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from playground import memory
from playground.memory import ProcessWatch

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's /proc")
MIB = 1024 * 1024

HOLDER = """
import sys
held = b""
for line in sys.stdin:
    held = bytes(bytearray(int(line) * 1048576)) if int(line) else b""
    print("held", flush=True)
"""


class Holder:
    """A process that holds as many MiB as it is told."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.hold(0)

    def hold(self, mib: int) -> None:
        assert self.process.stdin
        assert self.process.stdout
        print(mib, file=self.process.stdin, flush=True)
        assert self.process.stdout.readline() == "held\n"


@pytest.fixture
def holder() -> Iterator[Holder]:
    held = Holder()
    with held.process:
        yield held
        held.process.kill()


class Gpu:
    def __init__(self, own: int | None, used: int | None = None) -> None:
        self.own, self.used = own, used

    def of_processes(self, pids: Iterable[int]) -> int | None:
        return self.own

    def in_use(self) -> int | None:
        return self.used


@linux
def test_the_peak_over_an_answer_is_seen_even_between_two_reads(holder: Holder):
    watch = ProcessWatch(holder.process.pid, weights_bytes=7, baseline_bytes=8)
    holder.hold(200)
    holder.hold(0)
    found = watch.read()
    assert found.peak_bytes is not None
    assert found.process_bytes is not None
    assert found.peak_bytes - found.process_bytes > 150 * MIB
    assert (found.weights_bytes, found.baseline_bytes, found.method) == (7, 8, memory.KERNEL)


@linux
def test_an_earlier_answer_does_not_count(holder: Holder):
    holder.hold(200)
    holder.hold(0)
    assert (ProcessWatch(holder.process.pid).read().peak_bytes or 0) < 150 * MIB


def test_where_the_kernel_keeps_no_peak_it_is_the_highest_sample(holder: Holder, tmp_path: Path):
    watch = ProcessWatch(holder.process.pid, root=tmp_path)
    holder.hold(100)
    high = watch.read()
    holder.hold(0)
    low = watch.read()
    assert high.method == low.method == memory.SAMPLED
    assert low.peak_bytes == high.peak_bytes
    assert (low.process_bytes or 0) < (high.process_bytes or 0)


@linux
def test_children_of_the_process_count():
    inner = "x = bytearray(100 << 20); print(1, flush=True); input()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout
        parent.stdout.readline()
        assert (ProcessWatch(parent.pid).read().process_bytes or 0) > 100 * MIB
        parent.communicate("\n")


@pytest.mark.parametrize("never", [True, False])
def test_a_process_that_is_gone_has_no_figures_and_a_reason(holder: Holder, never: bool):
    watch = ProcessWatch(None if never else holder.process.pid, weights_bytes=7)
    holder.process.kill()
    holder.process.wait()
    found = watch.read()
    assert (found.peak_bytes, found.process_bytes, found.reason) == (None, None, memory.GONE)
    assert found.weights_bytes == 7


def test_on_a_gpu_the_drivers_figure_of_the_process_counts(holder: Holder):
    gpu = Gpu(own=500)
    watch = ProcessWatch(holder.process.pid, nvml=gpu)
    assert watch.read().peak_bytes == 500
    gpu.own = 300
    found = watch.read()
    assert (found.peak_bytes, found.process_bytes, found.method) == (500, 300, memory.NVML)


def test_where_the_driver_does_not_tell_whose_memory_it_is_the_device_delta_counts(holder: Holder):
    found = ProcessWatch(holder.process.pid, nvml=Gpu(None, used=900), device_before_bytes=400).read()
    assert (found.process_bytes, found.method) == (500, memory.DEVICE_DELTA)


def test_a_model_that_is_not_on_the_gpu_is_measured_as_a_process(holder: Holder):
    found = ProcessWatch(holder.process.pid, nvml=Gpu(0, used=900), device_before_bytes=400).read()
    assert found.method in (memory.KERNEL, memory.SAMPLED)


def test_a_machine_has_more_memory_than_it_has_free():
    total, free = memory.machine()
    assert total > free > 0
