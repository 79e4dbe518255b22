"""What a machine has: the container's limit counts, and devices are what NVML says."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground import machine
from playground.engines import open_engine
from playground.engines.base import threads_of
from playground.engines.local import LocalEngine
from playground.machine import Gpu, Machine
from playground.settings import Settings
from playground.types import EngineName, ModelSpec

GIB = 1024**3


def test_a_machine_is_what_its_probes_say():
    card = Gpu(0, "a card", 24 * GIB, 20 * GIB, (8, 9))
    found = machine.look(ram=lambda: (64 * GIB, 50 * GIB), devices=lambda: [card])
    assert (found.ram_total_bytes, found.ram_free_bytes, found.gpus) == (64 * GIB, 50 * GIB, (card,))


def test_this_machine_has_what_the_operating_system_says():
    found = machine.look()
    assert isinstance(found, Machine)
    assert 0 < found.ram_free_bytes < found.ram_total_bytes <= psutil.virtual_memory().total


def group(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def own(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own"
    path.write_text(text)
    return path


def test_a_containers_limit_counts_and_its_page_cache_does_not(tmp_path: Path):
    stat = "anon 5\ninactive_file 10000\nactive_file 20000\n"
    group(tmp_path / "a/b", {"memory.max": "1000000\n", "memory.current": "400000\n", "memory.stat": stat})
    total, free = machine.memory(tmp_path, own(tmp_path, "0::/a/b\n"))
    assert (total, free) == (1_000_000, 1_000_000 - 400_000 + 30_000)


def test_the_limit_of_a_group_further_up_counts_too(tmp_path: Path):
    group(tmp_path / "a/b", {"memory.max": "max\n", "memory.current": "5\n"})
    group(tmp_path / "a", {"memory.max": "2000\n", "memory.current": "500\n"})
    assert machine.memory(tmp_path, own(tmp_path, "0::/a/b\n")) == (2000, 1500)


def test_the_first_version_of_control_groups_is_read_too(tmp_path: Path):
    stat = "inactive_file 1\ntotal_inactive_file 100\ntotal_active_file 200\n"
    files = {"memory.limit_in_bytes": "5000", "memory.usage_in_bytes": "1000", "memory.stat": stat}
    group(tmp_path / "memory/job", files)
    assert machine.memory(tmp_path, own(tmp_path, "9:cpu:/x\n6:memory:/job\n0::/\n")) == (5000, 4300)


def test_without_a_limit_the_machine_itself_counts(tmp_path: Path):
    group(tmp_path, {"memory.max": "max\n", "memory.current": "5\n"})
    total, _ = machine.memory(tmp_path, own(tmp_path, "0::/\n"))
    assert total == psutil.virtual_memory().total
    assert machine.memory(tmp_path, tmp_path / "absent")[0] == total


# -- CPUs --


def sixteen() -> int:
    return 16


@pytest.mark.parametrize(
    ("limit", "usable"),
    [("max 100000", 16), ("200000 100000", 2), ("150000 100000", 1), ("50000 100000", 1), ("9900000 100000", 16)],
)
def test_a_containers_limit_on_cpu_time_counts_in_whole_cpus(tmp_path: Path, limit: str, usable: int):
    group(tmp_path / "a", {"cpu.max": f"{limit}\n"})
    assert machine.cpus(tmp_path, own(tmp_path, "0::/a\n"), sixteen) == usable


def test_the_lowest_limit_of_all_groups_further_up_counts(tmp_path: Path):
    group(tmp_path / "a/b", {"cpu.max": "800000 100000\n"})
    group(tmp_path / "a", {"cpu.max": "300000 100000\n"})
    assert machine.cpus(tmp_path, own(tmp_path, "0::/a/b\n"), sixteen) == 3


@pytest.mark.parametrize(("quota", "usable"), [("-1", 16), ("400000", 4)])
def test_limits_of_the_first_version_of_control_groups_count_too(tmp_path: Path, quota: str, usable: int):
    group(tmp_path / "cpu/job", {"cpu.cfs_quota_us": f"{quota}\n", "cpu.cfs_period_us": "100000\n"})
    assert machine.cpus(tmp_path, own(tmp_path, "4:cpu,cpuacct:/job\n6:memory:/x\n0::/\n"), sixteen) == usable


def test_without_any_control_group_the_cpus_that_may_be_used_count(tmp_path: Path):
    assert machine.cpus(tmp_path, tmp_path / "absent", sixteen) == 16
    assert 1 <= machine.cpus() <= (psutil.cpu_count() or 1)


@pytest.mark.parametrize(
    ("usable", "physical", "page", "alone"),
    [
        (1, 1, 1, 1),
        (2, 2, 1, 2),
        (4, 4, 3, 4),
        (4, 2, 2, 2),
        (8, 8, 7, 8),
        (8, 4, 4, 4),
        (8, None, 7, 8),
        (9, 9, 7, 9),
        (16, 8, 8, 8),
        (16, 16, 14, 16),
        (16, None, 14, 16),
        (16, 64, 14, 16),
        (128, 64, 64, 64),
    ],
)
def test_a_page_gets_a_cpu_of_its_own(usable: int, physical: int | None, page: int, alone: int):
    assert machine.model_threads(usable, physical, page=True) == page
    assert machine.model_threads(usable, physical, page=False) == alone


@given(st.integers(1, 300), st.none() | st.integers(1, 300), st.booleans())
def test_more_cpus_never_mean_fewer_threads_and_threads_never_exceed_cpus(
    usable: int, physical: int | None, page: bool
):
    threads = machine.model_threads(usable, physical, page=page)
    assert 1 <= threads <= usable
    assert threads <= machine.model_threads(usable + 1, physical, page=page)
    assert threads <= machine.model_threads(usable, physical, page=False)


@pytest.mark.parametrize("engine", ["llama.cpp", "transformers"])
def test_both_local_servers_are_told_their_threads_and_a_flag_overrides(engine: EngineName):
    spec = ModelSpec("mine", "Mine", engine, source="./mine.gguf")
    usable, physical = machine.cpus(), psutil.cpu_count(logical=False)
    for told, expected in [
        (Settings(), machine.model_threads(usable, physical, page=True)),
        (Settings(page=False), machine.model_threads(usable, physical, page=False)),
        (Settings(threads=5), 5),
        (Settings(threads=5, page=False), 5),
    ]:
        opened = open_engine(spec, told)
        assert isinstance(opened, LocalEngine)
        assert threads_of(opened) == expected
        opened.close()
