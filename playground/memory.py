"""Knows what the processes of one model hold in memory, and the most they held over one answer. Starts nothing.

On Linux the kernel keeps each process's peak of resident memory (`VmHWM`); writing 5 to `/proc/PID/clear_refs` resets
it (proc(5)), so the peak over one answer is exact. Elsewhere the highest of the samples that `read` takes must do.
Mapped weights count: they are resident, and the model cannot answer without them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from playground.types import Memory

KERNEL = "VmHWM of the model's process, reset before the answer"
SAMPLED = "highest resident memory seen in readings during the answer"
NVML = "GPU memory of the model's process by NVML, highest seen"
DEVICE_DELTA = "device_delta: GPU memory in use now minus before the model, highest seen"
GONE = "the model's process has ended"


class NvmlProbe(Protocol):
    """What a GPU knows. Either answer is None where the driver does not say."""

    def of_processes(self, pids: Iterable[int]) -> int | None:
        """Bytes that these processes hold on all devices; None in containers, WSL and MIG."""
        ...

    def in_use(self) -> int | None:
        """Bytes in use on all devices, by whomever."""
        ...


class ProcessWatch:
    """Memory of one process tree over one answer, from the moment the watch was made. `root` is for tests.

    `device_before_bytes` is what was in use on the GPU before the model was loaded, for drivers that do not tell whose
    memory is whose.
    """

    def __init__(
        self,
        pid: int | None,
        weights_bytes: int | None = None,
        baseline_bytes: int | None = None,
        *,
        nvml: NvmlProbe | None = None,
        device_before_bytes: int | None = None,
        root: Path = Path("/proc"),
    ) -> None:
        self._pid, self._root = pid, root
        self._known = Memory(weights_bytes=weights_bytes, baseline_bytes=baseline_bytes)
        self._nvml, self._before = nvml, device_before_bytes
        self._highest = 0
        pids = tree(pid)
        refused = [each for each in pids if not reset_peak(each, root)]
        self._kernel = bool(pids) and not refused

    def read(self) -> Memory:
        """Figures so far; a few file reads, cheap enough for a few calls a second."""
        pids = tree(self._pid)
        weights, baseline = self._known.weights_bytes, self._known.baseline_bytes
        if not pids:
            return Memory(weights, baseline_bytes=baseline, reason=GONE)
        if device := self._device(pids):
            held, method = device
            self._highest = max(self._highest, held)
            return Memory(weights, self._highest, held, baseline, method)
        held = sum(filter(None, (held_by(pid, self._root) for pid in pids)))
        if not held:
            return Memory(weights, baseline_bytes=baseline, reason=GONE)
        peak, method = self._peak(pids, held)
        return Memory(weights, peak, held, baseline, method)

    def _peak(self, pids: list[int], held: int) -> tuple[int, str]:
        peaks = [peak_of(pid, self._root) for pid in pids] if self._kernel else []
        if peaks and None not in peaks:
            return sum(filter(None, peaks)), KERNEL
        self._highest = max(self._highest, held)
        return self._highest, SAMPLED

    def _device(self, pids: list[int]) -> tuple[int, str] | None:
        """Bytes on the GPU and how they were found; None when the model is not on one."""
        if self._nvml is None:
            return None
        own = self._nvml.of_processes(pids)
        if own:
            return own, NVML
        now = self._nvml.in_use()
        if own is None and now is not None and self._before is not None and now > self._before:
            return now - self._before, DEVICE_DELTA
        return None


def tree(pid: int | None) -> list[int]:
    """The process and all below it; empty when it is gone."""
    if pid is None:
        return []
    try:
        top = psutil.Process(pid)
        if top.status() == psutil.STATUS_ZOMBIE:
            return []
        return [pid, *(child.pid for child in top.children(recursive=True))]
    except psutil.Error:
        return []


def reset_peak(pid: int, root: Path = Path("/proc")) -> bool:
    """Set the kernel's peak to what is resident now; False where the kernel or its owner refuses."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        (root / str(pid) / "clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak_of(pid: int, root: Path = Path("/proc")) -> int | None:
    """Bytes of VmHWM."""
    return _kib(root / str(pid) / "status", "VmHWM")


def held_by(pid: int, root: Path = Path("/proc")) -> int | None:
    """Bytes resident now: PSS, where shared pages are divided among those who share them, else RSS."""
    if pss := _kib(root / str(pid) / "smaps_rollup", "Pss"):
        return pss
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return None


def held_by_tree(pid: int | None) -> int | None:
    """Bytes resident now in a process and all below it, or None when it is gone."""
    return sum(filter(None, map(held_by, tree(pid)))) or None


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes that some processes hold now. Of `resident_bytes`, `mapped_bytes` are pages of files, which the system
    counts as free for others; `device_bytes` are on GPUs, None where the driver does not tell whose they are."""

    resident_bytes: int = 0
    mapped_bytes: int = 0
    device_bytes: int | None = 0


def held_now(pids: Iterable[int], nvml: NvmlProbe | None = None, root: Path = Path("/proc")) -> Held:
    """What these processes hold; unlike a watch it resets nothing, so it may be asked while a model answers."""
    pids = tuple(pids)
    found = [_resident(pid, root) for pid in pids]
    device = nvml.of_processes(pids) if nvml and pids else 0
    return Held(sum(whole for whole, _ in found), sum(mapped for _, mapped in found), device)


def _resident(pid: int, root: Path) -> tuple[int, int]:
    """All that is resident, and what of it are files, by one walk of the page tables: it costs 20 ms a gigabyte."""
    with suppress(OSError):
        said = dict(re.findall(r"^(Pss|Pss_File):\s+(\d+) kB", (root / str(pid) / "smaps_rollup").read_text(), re.M))
        return 1024 * int(said.get("Pss", 0)), 1024 * int(said.get("Pss_File", 0))
    return held_by(pid, root) or 0, 0


def machine() -> tuple[int, int]:
    """Bytes of memory that this machine has, and that are free for new programs."""
    memory = psutil.virtual_memory()
    return int(memory.total), int(memory.available)


def nvml() -> NvmlProbe | None:
    """NVIDIA's library, where there is such a device and driver."""
    import pynvml  # of the package nvidia-ml-py; imported late because most machines have no such device

    try:
        pynvml.nvmlInit()
        devices = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return None
    return _Nvml(devices) if devices else None


class _Nvml:
    """Never run on a GPU by its authors: the tests use a probe of their own."""

    def __init__(self, devices: list[object]) -> None:
        self._devices = devices

    def of_processes(self, pids: Iterable[int]) -> int | None:
        import pynvml

        wanted = set(pids)
        try:
            running = [each for device in self._devices for each in pynvml.nvmlDeviceGetComputeRunningProcesses(device)]
        except pynvml.NVMLError:
            return None
        used = [process.usedGpuMemory for process in running if process.pid in wanted]
        if None in used or (running and not used):  # the pids of a container's own namespace are not the driver's
            return None
        total: int = sum(used)
        return total

    def in_use(self) -> int | None:
        import pynvml

        try:
            used: int = sum(int(pynvml.nvmlDeviceGetMemoryInfo(device).used) for device in self._devices)
            return used
        except pynvml.NVMLError:
            return None


def _kib(path: Path, name: str) -> int | None:
    """The value of a line "Name:   123 kB", in bytes."""
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB", path.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None
