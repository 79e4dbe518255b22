"""What a machine has: the container's limit counts, and devices are what NVML says."""

from __future__ import annotations

from pathlib import Path

import psutil

from playground import machine
from playground.machine import Gpu, Machine

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
