"""Reads what this machine has: RAM and CPUs within a container's limits, and each GPU. Imports no torch.

Never run on a GPU by its authors: the tests bring devices of their own.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Gpu:
    """One NVIDIA device. `capability` is (major, minor) of its architecture, None where the driver does not say."""

    index: int
    name: str
    total_bytes: int
    free_bytes: int
    capability: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """What may be used. `mxfp4_kernels`: triton and `kernels` are installed, without which transformers turns MXFP4
    weights into bf16. `llama_gpu`: the installed llama.cpp was built for a GPU."""

    ram_total_bytes: int
    ram_free_bytes: int
    gpus: tuple[Gpu, ...] = ()
    mxfp4_kernels: bool = False
    llama_gpu: bool = False


def look(
    ram: Callable[[], tuple[int, int]] | None = None, devices: Callable[[], Sequence[Gpu]] | None = None
) -> Machine:
    """This machine, now: a few file reads and, where there is a driver, NVML. Both can be replaced by tests."""
    total, free = (ram or memory)()
    kernels = util.find_spec("triton") is not None and util.find_spec("kernels") is not None
    return Machine(total, free, tuple((devices or gpus)()), kernels, llama_gpu())


def memory(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> tuple[int, int]:
    """Bytes of RAM in all, and free for new programs; the limit of a container counts where it is the smaller."""
    found = psutil.virtual_memory()
    total, free = int(found.total), int(found.available)
    for limit, used in limits(root, own):
        total, free = min(total, limit), min(free, max(0, limit - used))
    return total, free


def limits(root: Path, own: Path) -> Iterator[tuple[int, int]]:
    """(limit, bytes in use that cannot be given back) of each control group that this process is in."""
    for folder, second in _groups(root, own, "memory"):
        names = ("memory.max", "memory.current") if second else ("memory.limit_in_bytes", "memory.usage_in_bytes")
        limit, used = (_number(folder / name) for name in names)
        if limit is not None and used is not None:
            yield limit, max(0, used - _file_pages(folder / "memory.stat"))


def _groups(root: Path, own: Path, controller: str) -> Iterator[tuple[Path, bool]]:
    """Folders of the process's own control group and all above it, and whether they are of version 2."""
    with suppress(OSError):
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                top = root
            elif controller in controllers.split(","):
                top = root / controller
            else:
                continue
            parts = [part for part in path.split("/") if part not in ("", "..")]
            yield from ((top.joinpath(*parts[:n]), not controllers) for n in range(len(parts), -1, -1))


def _number(path: Path) -> int | None:
    with suppress(OSError, ValueError):  # "max" is no number: no limit
        return int(path.read_text())
    return None


def _file_pages(stat: Path) -> int:
    """Bytes of page cache, which a control group counts as used though it gives them back."""
    with suppress(OSError):
        found = dict(re.findall(r"^(\w+) (\d+)$", stat.read_text(), re.MULTILINE))
        names = ("total_active_file", "total_inactive_file")
        return sum(int(found.get(name) or found.get(name.removeprefix("total_")) or 0) for name in names)
    return 0


def cpus(
    root: Path = Path("/sys/fs/cgroup"),
    own: Path = Path("/proc/self/cgroup"),
    affinity: Callable[[], int] | None = None,
) -> int:
    """CPUs that this process may use at once: those it may run on, within the time that its container may take. At
    least 1. A thread of a CPU core counts as one, as the system counts them."""
    return max(1, min([(affinity or _affinity)(), *(int(each) for each in quotas(root, own))]))


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def quotas(root: Path, own: Path) -> Iterator[float]:
    """The limit of each control group that this process is in, in CPUs: 1.5 is 150 ms in each 100 ms."""
    for folder, second in _groups(root, own, "cpu"):
        names = ("cpu.max",) if second else ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        with suppress(OSError, ValueError):  # "max" is no number: no limit
            quota_us, period_us = (int(word) for name in names for word in (folder / name).read_text().split())
            if quota_us > 0 and period_us > 0:  # -1 is no limit, too
                yield quota_us / period_us


ONE_FOR_THE_PAGE = 8
"""Up to so many CPUs a page is left one; beyond, two: one for the browser, one for the app."""


def model_threads(usable: int, physical: int | None, *, page: bool) -> int:
    """Threads for one model where `usable` CPUs are, which leave a page its own. Never more than the machine has
    `physical` cores: two threads of one core share its arithmetic. That is also what both servers choose themselves."""
    left = 0 if not page else 1 if usable <= ONE_FOR_THE_PAGE else 2
    return max(1, min(usable - left, physical or usable))


def threads(*, page: bool) -> int:
    """Threads for one model on this machine."""
    return model_threads(cpus(), psutil.cpu_count(logical=False), page=page)


def gpus() -> Sequence[Gpu]:
    """The devices by NVML; none where there is no such driver."""
    import pynvml  # of the package nvidia-ml-py; imported late because most machines have no such device

    try:
        pynvml.nvmlInit()
        return [_gpu(index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []


def _gpu(index: int) -> Gpu:
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    name, found = pynvml.nvmlDeviceGetName(handle), pynvml.nvmlDeviceGetMemoryInfo(handle)
    text = name.decode() if isinstance(name, bytes) else str(name)
    capability = None
    with suppress(pynvml.NVMLError):
        capability = tuple(pynvml.nvmlDeviceGetCudaComputeCapability(handle))
    return Gpu(index, text, int(found.total), int(found.free), capability)


def llama_gpu() -> bool:
    """The `xllamacpp` wheel says in its version what it was built for; the wheel of the package index is for CPUs. A
    `llama-server` on the PATH does not say: it counts as built for the machine that it was put on."""
    with suppress(metadata.PackageNotFoundError):
        return bool(re.search(r"\+(cu|rocm|vulkan)", metadata.version("xllamacpp")))
    return shutil.which("llama-server") is not None
