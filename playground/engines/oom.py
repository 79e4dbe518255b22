"""Tells whether the kernel's out-of-memory killer was at work around a process, by the kernel's own counters.

`oom_kill` stands in `memory.events` of the process's control group (cgroup v2) or in its `memory.oom_control` (v1);
both count kills for the group's limit and for want of memory on the whole machine. Where neither can be read,
`/proc/vmstat` counts for the whole machine.
"""

from __future__ import annotations

import re
from pathlib import Path


class OomKills:
    """OOM kills where one process lives, since `reset`. `root` is for tests."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._before: dict[Path, int] = {}

    def reset(self, pid: int | None) -> None:
        """Count from now on; only while the process lives."""
        self._before = {}
        self.follow(pid)

    def follow(self, pid: int | None) -> None:
        """Count where the process is now, too, if it has moved to another control group."""
        for file in self._counters(pid):
            if file not in self._before and (count := _read(file)) is not None:
                self._before[file] = count

    def rose(self) -> bool | None:
        """There was such a kill; None where the system does not count."""
        if not self._before:
            return None
        return any((_read(file) or 0) > count for file, count in self._before.items())

    def _counters(self, pid: int | None) -> list[Path]:
        """The first counter that there is."""
        groups = _text(self._root / "proc" / str(pid) / "cgroup") if pid is not None else ""
        mount, found = self._root / "sys" / "fs" / "cgroup", []
        for line in groups.splitlines():
            _, controllers, path = [*line.split(":", 2), "", ""][:3]
            if controllers == "":
                found.append(mount / path.lstrip("/") / "memory.events")
            elif "memory" in controllers.split(","):
                found.append(mount / "memory" / path.lstrip("/") / "memory.oom_control")
        return [each for each in (*found, self._root / "proc" / "vmstat") if _read(each) is not None][:1]


def _read(file: Path) -> int | None:
    """The counter in that file, None where it has none."""
    found = re.search(r"^oom_kill (\d+)$", _text(file), re.MULTILINE)
    return int(found[1]) if found else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
