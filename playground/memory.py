"""Measures what the processes of one model hold in memory, and the most they held over one answer. Starts nothing.

On Linux the kernel keeps each process's peak of resident memory (`VmHWM`); writing 5 to `/proc/PID/clear_refs` resets
it (proc(5)), so the peak over one answer is exact. Elsewhere the highest of the samples that `read` takes must do.
Mapped weights count: they are resident, and the model cannot answer without them. A peak and what is held now are two
measures: the kernel's peak is RSS, which counts a shared page in each process, and PSS divides it among them.

On GPUs, NVML tells what each process holds, by the ids of the machine's own pid namespace. In a container with ids of
its own, in WSL and with MIG it does not: then what a load added to the device counts, and what answers added since.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from playground.types import Memory

KERNEL = "peak: resident memory (RSS) by the kernel's VmHWM, reset before the answer"
SAMPLED = "peak: the highest reading during the answer"
PSS = "now: proportional (PSS), where pages shared with other processes are divided among them"
RSS = "now: resident (RSS)"
NVML = "GPU memory of the model's process by NVML, highest reading, and its RAM, added up"
DEVICE_DELTA = (
    "device_delta: what loading the model added to the GPU memory in use by anyone, and what was added while it "
    "answered, highest reading, and its RAM, added up"
)
GONE = "the model's process has ended"
INITIAL_NAMESPACE = 0xEFFFFFFC
"""Inode of the first pid namespace (PROC_PID_INIT_INO), whose ids NVML uses."""
_GPU_DEVICE = re.compile(r"/dev/(nvidia\d+|dxg)")
_LOADING = threading.Lock()


class NvmlProbe(Protocol):
    """What a GPU knows. Either answer is None where the driver does not say."""

    def of_processes(self, pids: Iterable[int]) -> int | None:
        """Bytes that these processes hold on all devices; None in containers, WSL and MIG."""
        ...

    def in_use(self) -> int | None:
        """Bytes in use on all devices, by whomever."""
        ...


class DeviceDelta:
    """GPU memory of one model as a difference of what is in use by anyone, for drivers that do not tell whose it is.

    Loads are one at a time, in this process, or each would be given what the other adds.
    """

    def __init__(self, nvml: NvmlProbe) -> None:
        self._nvml, self._lock = nvml, threading.Lock()
        self._held: int | None = None
        self._seen: int | None = None

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Load inside: what is in use more afterwards is the model's."""
        with _LOADING:
            self._held, before = None, self._nvml.in_use()
            yield
            after = self._nvml.in_use()
            if before is not None and after is not None:
                self._held = max(0, after - before)

    def begin(self) -> None:
        """An answer begins; what others did since the last one is not the model's."""
        with self._lock:
            self._seen = self._nvml.in_use()

    def now(self) -> int | None:
        """Bytes that it holds, with what was added since the answer began; None where that is not known."""
        with self._lock:
            seen = self._nvml.in_use()
            if self._held is None or self._seen is None or seen is None:
                return None
            self._held = max(0, self._held + seen - self._seen)
            self._seen = seen
            return self._held


class ProcessWatch:
    """Memory of one process tree over one answer, from the moment the watch was made. `root` is for tests.

    A process that has no GPU open is given no GPU memory, whoever uses the GPU meanwhile.
    """

    def __init__(
        self,
        pid: int | None,
        weights_bytes: int | None = None,
        baseline_bytes: int | None = None,
        *,
        nvml: NvmlProbe | None = None,
        delta: DeviceDelta | None = None,
        root: Path = Path("/proc"),
    ) -> None:
        self._pid, self._root = pid, root
        self._known = Memory(weights_bytes=weights_bytes, baseline_bytes=baseline_bytes)
        self._highest = self._highest_device = 0
        pids = tree(pid)
        refused = [each for each in pids if not reset_peak(each, root)]
        self._kernel = bool(pids) and not refused
        may_be_on_gpu = has_gpu_open(pids, root) is not False
        self._nvml = nvml if may_be_on_gpu else None
        self._delta = delta if may_be_on_gpu else None
        if self._delta:
            self._delta.begin()

    def read(self) -> Memory:
        """Figures so far; a few file reads, cheap enough for a few calls a second."""
        pids = tree(self._pid)
        weights, baseline = self._known.weights_bytes, self._known.baseline_bytes
        now = _held_in_ram(pids, self._root)
        if now is None:
            return Memory(weights, baseline_bytes=baseline, reason=GONE)
        held, measure = now
        peak, method = self._peak(pids, held)
        method = f"{method}; {measure}"
        if device := self._device(pids):
            on_device, how = device
            self._highest_device = most = max(self._highest_device, on_device)
            how = f"{how} ({method})"
            return Memory(weights, most + peak, on_device + held, baseline, how, device_peak_bytes=most)
        return Memory(weights, peak, held, baseline, method)

    def _peak(self, pids: list[int], held: int) -> tuple[int, str]:
        peaks = [peak_of(pid, self._root) for pid in pids] if self._kernel else []
        if peaks and None not in peaks:
            return sum(filter(None, peaks)), KERNEL
        self._highest = max(self._highest, held)
        return self._highest, SAMPLED

    def _device(self, pids: list[int]) -> tuple[int, str] | None:
        """Bytes on GPUs and how they were found; None when the model has none there."""
        if self._nvml is None:
            return None
        own = self._nvml.of_processes(pids)
        if own is None and self._delta and (added := self._delta.now()):
            return added, DEVICE_DELTA
        return (own, NVML) if own else None


def has_gpu_open(pids: Iterable[int], root: Path = Path("/proc")) -> bool | None:
    """One of these processes has an NVIDIA device open, without which nothing of it is on a GPU; None where the system
    does not tell."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        opened = [link for pid in pids for link in (root / str(pid) / "fd").iterdir()]
    except OSError:
        return None
    return any(_GPU_DEVICE.match(_target(link)) for link in opened)


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:  # closed meanwhile
        return ""


def _held_in_ram(pids: Iterable[int], root: Path) -> tuple[int, str] | None:
    """Bytes resident now and by which measure, one for all; None when all are gone."""
    alive = [(pss, rss) for pid in pids if (rss := _rss(pid)) is not None for pss in [_pss(pid, root)]]
    if not alive:
        return None
    proportional = [pss for pss, _ in alive if pss]
    if len(proportional) == len(alive):
        return sum(proportional), PSS
    return sum(rss for _, rss in alive), RSS


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
    return _pss(pid, root) or _rss(pid)


def _pss(pid: int, root: Path) -> int | None:
    return _kib(root / str(pid) / "smaps_rollup", "Pss")


def _rss(pid: int) -> int | None:
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss) or None
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
    device = nvml.of_processes(pids) if nvml and has_gpu_open(pids, root) is not False else 0
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


def nvml(own_ids: Callable[[], bool] | None = None) -> NvmlProbe | None:
    """NVIDIA's library, where there is such a device and driver."""
    import pynvml  # of the package nvidia-ml-py; imported late because most machines have no such device

    try:
        pynvml.nvmlInit()
        devices = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return None
    return _Nvml(devices, foreign_ids=not (own_ids or _ids_are_the_drivers)()) if devices else None


def _ids_are_the_drivers() -> bool:
    """This process has the ids that the driver knows: it is in no pid namespace of a container."""
    if not sys.platform.startswith("linux"):
        return True
    with suppress(OSError):
        return Path("/proc/self/ns/pid").stat().st_ino == INITIAL_NAMESPACE
    return False


class _Nvml:
    """Never run on a GPU by its authors: the tests use a library of their own."""

    def __init__(self, devices: list[object], *, foreign_ids: bool = False) -> None:
        self._devices, self._foreign_ids = devices, foreign_ids

    def of_processes(self, pids: Iterable[int]) -> int | None:
        import pynvml

        if self._foreign_ids:  # what has one of our ids there is another program
            return None
        wanted = set(pids)
        try:
            running = [each for device in self._devices for each in pynvml.nvmlDeviceGetComputeRunningProcesses(device)]
        except pynvml.NVMLError:
            return None
        used = [process.usedGpuMemory for process in running if process.pid in wanted]
        return None if None in used else sum(used)

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
