"""Memory belongs to one process tree; what is not known is None with its reason."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from playground import memory
from playground.engines.llama import LlamaEngine
from playground.memory import DeviceDelta, ProcessWatch
from playground.types import ModelSpec
from tests.patience import LIMIT_S, eventually

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
    assert (found.weights_bytes, found.baseline_bytes) == (7, 8)
    assert found.method.startswith(memory.KERNEL)


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
    assert high.method == low.method == f"{memory.SAMPLED}; {memory.RSS}"
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


@linux
def test_a_peak_and_what_is_held_now_say_by_which_measure(holder: Holder, tmp_path: Path):
    assert ProcessWatch(holder.process.pid).read().method == f"{memory.KERNEL}; {memory.PSS}"
    assert ProcessWatch(holder.process.pid, root=tmp_path).read().method == f"{memory.SAMPLED}; {memory.RSS}"


# -- on a GPU --


@pytest.fixture
def on_gpu(holder: Holder, tmp_path: Path) -> Path:
    """A /proc in which the process has a GPU open."""
    opened = tmp_path / str(holder.process.pid) / "fd"
    opened.mkdir(parents=True)
    (opened / "3").symlink_to("/dev/nvidiactl")
    (opened / "4").symlink_to("/dev/nvidia0")
    return tmp_path


def test_on_a_gpu_the_drivers_figure_of_the_process_counts_and_its_ram_with_it(holder: Holder, on_gpu: Path):
    gpu = Gpu(own=500 * MIB)
    watch = ProcessWatch(holder.process.pid, nvml=gpu, root=on_gpu)
    holder.hold(100)
    high = watch.read()
    holder.hold(0)
    gpu.own = 300 * MIB
    low = watch.read()
    assert (high.device_peak_bytes, low.device_peak_bytes) == (500 * MIB, 500 * MIB)
    assert (high.peak_bytes or 0) > 600 * MIB
    assert low.peak_bytes == high.peak_bytes
    assert 300 * MIB < (low.process_bytes or 0) < (high.process_bytes or 0) - 250 * MIB
    assert low.method == f"{memory.NVML} ({memory.SAMPLED}; {memory.RSS})"


def test_where_the_driver_does_not_tell_whose_memory_it_is_what_the_load_added_counts(holder: Holder, on_gpu: Path):
    gpu = Gpu(None, used=18_000)
    delta = DeviceDelta(gpu)
    with delta.loading():
        gpu.used = 22_000
    watch = ProcessWatch(holder.process.pid, nvml=gpu, delta=delta, root=on_gpu)
    assert watch.read().device_peak_bytes == 4_000
    assert watch.read().method.startswith(memory.DEVICE_DELTA)


def test_what_answers_add_stays_the_models_and_what_others_do_in_between_does_not():
    gpu = Gpu(None, used=0)
    delta = DeviceDelta(gpu)
    assert delta.now() is None
    with delta.loading():
        gpu.used = 4_000
    gpu.used += 9_000  # another model
    delta.begin()
    gpu.used += 500
    assert (delta.now(), delta.now()) == (4_500, 4_500)
    gpu.used -= 9_000
    delta.begin()
    assert delta.now() == 4_500
    gpu.used = None
    assert delta.now() is None


def test_a_load_that_fails_leaves_nothing_known_and_nobody_waiting():
    gpu = Gpu(None, used=0)
    delta = DeviceDelta(gpu)
    with delta.loading():
        gpu.used = 4_000
    with pytest.raises(RuntimeError), delta.loading():
        raise RuntimeError
    delta.begin()
    assert delta.now() is None
    with delta.loading():
        gpu.used = 5_000
    delta.begin()
    assert delta.now() == 1_000


@linux
@pytest.mark.parametrize("own", [None, 18_000_000_000], ids=["not told whose", "taken for ours"])
def test_a_model_on_the_cpu_is_never_given_gpu_memory_whoever_uses_the_gpu(holder: Holder, own: int | None):
    """As happened: beside another program's 18 GB it was said to hold 18.0 GB."""
    gpu = Gpu(own, used=0)
    delta = DeviceDelta(gpu)
    with delta.loading():
        gpu.used = 18_000_000_000
    found = ProcessWatch(holder.process.pid, nvml=gpu, delta=delta).read()
    assert found.device_peak_bytes is None
    assert (found.peak_bytes or 0) < 200 * MIB
    assert found.method == f"{memory.KERNEL}; {memory.PSS}"
    assert memory.held_now([holder.process.pid], gpu).device_bytes == 0


def test_a_process_that_has_a_gpu_open_and_nothing_on_it_is_measured_as_a_process(holder: Holder, on_gpu: Path):
    """By the driver's ids, which are this machine's: the difference of a load is not even looked at."""
    gpu = Gpu(0, used=0)
    delta = DeviceDelta(gpu)
    with delta.loading():
        gpu.used = 900
    found = ProcessWatch(holder.process.pid, nvml=gpu, delta=delta, root=on_gpu).read()
    assert (found.device_peak_bytes, found.method) == (None, f"{memory.SAMPLED}; {memory.RSS}")


@linux
def test_a_gpu_is_open_by_its_device_file_and_where_files_cannot_be_seen_that_is_unknown(holder: Holder, on_gpu: Path):
    pid = holder.process.pid
    assert memory.has_gpu_open([pid], on_gpu) is True
    assert memory.has_gpu_open([pid]) is False
    assert memory.has_gpu_open([pid], on_gpu / "none") is None
    (on_gpu / str(pid) / "fd" / "4").unlink()
    assert memory.has_gpu_open([pid], on_gpu) is False  # the control device alone holds no memory
    (on_gpu / str(pid) / "fd" / "5").symlink_to("/dev/dxg")
    assert memory.has_gpu_open([pid], on_gpu) is True


# -- by NVIDIA's library --


class Library(ModuleType):
    """What `pynvml` answers on a machine with one GPU, on which these (pid, bytes) run."""

    class NVMLError(Exception):
        pass

    def __init__(self, *running: tuple[int, int | None], used: int = 18_000, silent: bool = False) -> None:
        super().__init__("pynvml")
        self.running, self.used, self.silent = running, used, silent

    def nvmlInit(self) -> None:
        pass

    def nvmlDeviceGetCount(self) -> int:
        return 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> object:
        return object()

    def nvmlDeviceGetComputeRunningProcesses(self, device: object) -> list[SimpleNamespace]:
        if self.silent:
            raise self.NVMLError
        return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in self.running]

    def nvmlDeviceGetMemoryInfo(self, device: object) -> SimpleNamespace:
        return SimpleNamespace(used=self.used)


@pytest.mark.parametrize(
    ("library", "own_ids", "held"),
    [
        (Library((7, 500), (8, 200), (9, 18_000)), True, 700),
        (Library((9, 18_000)), True, 0),  # running, none ours: it is another program's
        (Library(), True, 0),
        (Library((9, 18_000)), False, None),  # ids of a container are not the driver's
        (Library((7, 18_000)), False, None),  # another program has our id there
        (Library(), False, None),
        (Library((7, None)), True, None),  # WSL, and Windows
        (Library((9, None)), True, 0),
        (Library(silent=True), True, None),  # MIG
    ],
)
def test_whose_memory_it_is_is_said_by_ids_of_the_machine_only(
    monkeypatch: pytest.MonkeyPatch, library: Library, own_ids: bool, held: int | None
):
    monkeypatch.setitem(sys.modules, "pynvml", library)
    probe = memory.nvml(own_ids=lambda: own_ids)
    assert probe
    assert probe.of_processes([7, 8]) == held
    assert probe.in_use() == 18_000


@linux
def test_the_first_pid_namespace_is_told_from_a_containers():
    """Ours is one or the other; which one, this test cannot know, but the kernel says the same to both."""
    inode = Path("/proc/self/ns/pid").stat().st_ino
    assert memory._ids_are_the_drivers() == (inode == memory.INITIAL_NAMESPACE)


# -- by an engine, from its load on --

FAKE = Path(__file__).parent / "engines" / "fake_server_child.py"


class Loaded(LlamaEngine):
    """A server without a model, whose load takes memory of the GPU after `may_load`."""

    def __init__(self, key: str, takes: int, gpu: Gpu, folder: Path, may_load: Callable[[], bool]) -> None:
        (folder / f"{key}.gguf").write_bytes(b"not a model")
        super().__init__(ModelSpec(key, key, "llama.cpp", source=str(folder / f"{key}.gguf")), folder)
        self._gpu, self._takes, self._may_load = gpu, takes, may_load

    def _command(self, place: Path | None, port: int) -> list[str]:
        return [sys.executable, str(FAKE), str(port)]

    def _load_model(self, worker: object, place: Path | None, tell: object) -> None:
        assert self._may_load()
        self._gpu.used = (self._gpu.used or 0) + self._takes

    def _continues(self, place: Path | None) -> bool:
        return False


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, Loaded]]:
    """Both sides' engines, made before either loads. Neither finishes loading before both were asked to."""
    gpu = Gpu(None, used=18_000)
    monkeypatch.setattr(memory, "nvml", lambda: gpu)
    monkeypatch.setattr(memory, "has_gpu_open", lambda pids, root: True)

    def both() -> bool:
        return all(each.state().name in ("loading", "ready") for each in engines.values())

    def wait_for_both() -> bool:
        eventually(both)
        return True

    engines = {
        side: Loaded(side, takes, gpu, tmp_path, wait_for_both) for side, takes in (("left", 4_000), ("right", 8_000))
    }
    yield engines
    for each in engines.values():
        each.close()


def test_neither_side_is_given_what_the_other_took_though_both_load_at_once(two: dict[str, Loaded]):
    """As happened: the right side got the left side's memory too."""
    threads = [threading.Thread(target=lambda e=each: list(e.prepare())) for each in two.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    held = {side: each.watch_memory().read().device_peak_bytes for side, each in two.items()}
    assert held == {"left": 4_000, "right": 8_000}


def test_a_machine_has_more_memory_than_it_has_free():
    total, free = memory.machine()
    assert total > free > 0
