"""Writes requirements.lock, the versions that the tests passed with: python -m tests.lock. Not a test itself.

    python -m tests.lock            write the lock from what is installed
    python -m tests.lock --drift    say what an install without the lock would change; never fails

The lock is for pip's `-c`: it names versions and asks for nothing. Of each package that the requirements need here it
has the public version, since a local one (`+cpu`) is of one machine, and a marker where other platforms have no such
package.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
ASKED = ROOT / "requirements-dev.txt"
LOCK = ROOT / "requirements.lock"
HEAD = """# The versions that the tests passed with: pip install -r requirements-dev.txt -c requirements.lock
# Written by `make lock` from what is installed; a package that is not asked for is not installed by standing here.
"""
GPU = re.compile(r"cuda-|nvidia-(?!ml-py)|triton$")
GPU_MARKER = 'platform_system == "Linux" and platform_machine == "x86_64"'
"""Wheels that torch brings for its GPU build; other platforms have none, or others."""
DRIFT_LIMIT_S = 240


def asked(file: Path = ASKED) -> Iterator[Requirement]:
    """What a requirements file asks for, and those that it includes."""
    for line in file.read_text(encoding="utf-8").splitlines():
        line = line.partition("#")[0].strip()
        if line.startswith("-r"):
            yield from asked(file.parent / line.removeprefix("-r").strip())
        elif line:
            yield Requirement(line)


def needed() -> dict[str, str]:
    """Version of each installed package that is asked for, or that such a one needs in turn, by its plain name."""
    found: dict[str, str] = {}
    waiting = [(each.name, extra) for each in asked() if _holds(each) for extra in ("", *each.extras)]
    seen: set[tuple[str, str]] = set()
    while waiting:
        name, extra = waiting.pop()
        if (name := canonicalize_name(name), extra) in seen:
            continue
        seen.add((name, extra))
        package = metadata.distribution(name)
        found[name] = package.version
        for more in map(Requirement, package.requires or ()):
            if _holds(more, extra):
                waiting += [(more.name, each) for each in ("", *more.extras)]
    return found


def _holds(requirement: Requirement, extra: str = "") -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def written(versions: Mapping[str, str], requirements: list[Requirement]) -> str:
    """The lock's text."""
    markers = {canonicalize_name(each.name): str(each.marker) for each in requirements if each.marker}
    lines = []
    for name, version in sorted(versions.items()):
        marker = markers.get(name) or (GPU_MARKER if GPU.match(name) else "")
        lines.append(f"{name}=={Version(version).public}" + (f"; {marker}" if marker else ""))
    return HEAD + "\n".join(lines) + "\n"


def drift(report: Mapping[str, object], versions: Mapping[str, str]) -> list[str]:
    """What pip's report of an install would change, a line each."""
    lines = []
    for each in report["install"]:  # type: ignore[attr-defined]
        name, version = canonicalize_name(each["metadata"]["name"]), each["metadata"]["version"]
        if version != versions.get(name):
            lines.append(f"{name}: {versions.get(name, 'not needed')} -> {version}")
    return sorted(lines)


def ask_pip() -> str:
    """Pip's report of an install without the lock, over what is installed; nothing is changed."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--report", "-", "--upgrade",
               "--upgrade-strategy", "eager", "-r", str(ASKED)]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=DRIFT_LIMIT_S, check=True).stdout


def told(ask: Callable[[], str], versions: Mapping[str, str]) -> str:
    """What an install without the lock would change, or why that is not known."""
    try:
        lines = drift(json.loads(ask()), versions)
    except subprocess.TimeoutExpired as error:
        return f"Drift: not known; pip did not answer within {error.timeout:g} s."
    except subprocess.CalledProcessError as error:
        return f"Drift: not known; pip says: {((error.stderr or '').strip().splitlines() or ['nothing'])[-1]}"
    except (OSError, ValueError, LookupError, TypeError) as error:
        return f"Drift: not known; what pip said cannot be read: {error!r}"
    head = f"Drift: an install without the lock would change {len(lines)} packages"
    return "\n  ".join([head + (":" if lines else "."), *lines])


if __name__ == "__main__":
    if sys.argv[1:] == ["--drift"]:
        print(told(ask_pip, needed()))
    else:
        LOCK.write_text(written(needed(), list(asked())), encoding="utf-8")
