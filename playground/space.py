"""Knows what a Hugging Face Space demands of this repository, as far as it shows without the Hub. Runs no Space.

The front matter of README.md is held to https://huggingface.co/docs/hub/spaces-config-reference and
https://huggingface.co/docs/hub/spaces-oauth (read in November 2026).
"""

from __future__ import annotations

import re
import subprocess
import tomllib
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet

from playground.errors import UsageError

LARGEST_FILE = 10 * 1024 * 1024
"""The Hub refuses a push with a larger file, unless it is stored by LFS or Xet."""
LARGEST_TREE = 1_000_000_000
"""Our own bound: every build of a Space fetches the whole repository."""
LISTED = {"torch": "2.11", "torchvision": "0.26"}
"""The newest versions that ZeroGPU lists; a lower bound above them could not be satisfied there."""
COLOURS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
HARDWARE = (
    *("cpu-basic", "cpu-upgrade", "zero-a10g", "t4-small", "t4-medium", "l4x1", "l4x4", "l40sx1", "l40sx4", "l40sx8"),
    *("a10g-small", "a10g-large", "a10g-largex2", "a10g-largex4", "a100-large", "a100x4", "a100x8"),
    *(f"rtx-pro-6000{n}" for n in ("", "x2", "x4", "x8")),
)
SCOPES = (
    *("email", "read-billing", "read-repos", "write-repos", "manage-repos", "inference-api", "write-discussions"),
    *("read-memberships", "contribute-repos", "gated-repos", "jobs", "webhooks"),
)
KEYS = (
    ("a token of the Hub", r"hf_[A-Za-z0-9]{30,}"),
    ("an API key", r"sk-[A-Za-z0-9_-]{32,}"),
    ("a key of AWS", r"(AKIA|ASIA)[0-9A-Z]{16}"),
    ("a token of GitHub", r"gh[pousr]_[A-Za-z0-9]{36}"),
    ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
)
PERSONAL = re.compile(r"^(votes|uploads|\.gradio|flagged|gradio_cached_examples)/|(^|/)votes[^/]*\.csv$|(^|/)\.env$")
MADE_UP = "tests/"
"""Votes there are invented."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `said` is a sentence."""

    name: str
    state: Literal["ok", "failed", "could not check"]
    said: str


class _Wrong(Exception):
    """What does not fit, and what to do."""


class _Unseen(Exception):
    """Why it could not be looked at."""


def check(root: Path) -> list[Check]:
    """All that can be verified here, in the order in which it should be mended."""
    checks: dict[str, Callable[[Path], str]] = {
        "front matter": _front_matter,
        "app file": _app_file,
        "gradio": _gradio,
        "python": _python,
        "requirements": _requirements,
        "file sizes": _sizes,
        "keys": _keys,
        "votes and uploads": _personal,
    }
    return [_checked(name, look, root) for name, look in checks.items()]


def code(checks: Sequence[Check]) -> int:
    """0 when all is well, 1 when something failed, 2 when nothing failed but something could not be checked."""
    states = {each.state for each in checks}
    return 1 if "failed" in states else 2 if "could not check" in states else 0


def _checked(name: str, look: Callable[[Path], str], root: Path) -> Check:
    try:
        return Check(name, "ok", look(root))
    except _Wrong as error:
        return Check(name, "failed", str(error))
    except (_Unseen, OSError) as error:
        return Check(name, "could not check", str(error))


# --- the front matter -------------------------------------------------------------------------------------------------


def front_matter(root: Path) -> dict[str, Any]:
    """The YAML block at the top of README.md. Raises UsageError."""
    try:
        text = (root / "README.md").read_text(encoding="utf-8")
        block = re.match(r"---\n(.*?\n)---\n", text, re.DOTALL)
        found = yaml.safe_load(block[1]) if block else None
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"The front matter of README.md cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise UsageError("README.md must begin with a block of YAML between two lines of ---.")
    return found


def _matter(root: Path) -> dict[str, Any]:
    try:
        return front_matter(root)
    except UsageError as error:
        raise _Wrong(str(error)) from error


def _text(most: int = 200) -> Callable[[Any], str]:
    return lambda value: (
        "" if isinstance(value, str) and 0 < len(value) <= most else f"a text of 1 to {most} characters"
    )


def _one_of(*allowed: str) -> Callable[[Any], str]:
    return lambda value: "" if value in allowed else f"one of {', '.join(allowed)}"


def _like(pattern: str, what: str) -> Callable[[Any], str]:
    return lambda value: "" if isinstance(value, str) and re.fullmatch(pattern, value) else what


def _list_of(inner: Callable[[Any], str]) -> Callable[[Any], str]:
    def wrong(value: Any) -> str:
        if not isinstance(value, list):
            return "a list"
        return next((f"a list whose entries are each {said}" for said in map(inner, value) if said), "")

    return wrong


def _truth(value: Any) -> str:
    return "" if isinstance(value, bool) else "true or false"


def _emoji(value: Any) -> str:
    signs = isinstance(value, str) and 0 < len(value) <= 8
    return (
        ""
        if signs and all(unicodedata.category(sign) in ("So", "Sk", "Mn", "Cf", "Me") for sign in value)
        else "an emoji"
    )


def _minutes(value: Any) -> str:
    return "" if isinstance(value, int) and 0 < value <= 43_200 else "a number of minutes up to 43200"


_REPOSITORY = _like(r"[\w.-]+(/[\w.-]+)?", "the id of a repository")
_FIELDS: dict[str, Callable[[Any], str]] = {
    "title": _text(),
    "emoji": _emoji,
    "colorFrom": _one_of(*COLOURS),
    "colorTo": _one_of(*COLOURS),
    "sdk": _one_of("gradio", "docker", "static"),
    "sdk_version": _like(r"\d+\.\d+\.\d+", 'a version such as "6.31.0"'),
    "python_version": _like(r"3\.\d+(\.\d+)?", 'a version in quotes such as "3.12"'),
    "app_file": _text(),
    "app_port": lambda value: "" if isinstance(value, int) else "a port",
    "base_path": _like(r"/.*", "a path that begins with /"),
    "fullWidth": _truth,
    "header": _one_of("mini", "default"),
    "short_description": _text(60),
    "suggested_hardware": _one_of(*HARDWARE),
    "suggested_storage": _one_of("small", "medium", "large"),
    "startup_duration_timeout": _like(r"\d+(\.\d+)?\s?(s|m|h|d)", 'a time such as "1h"'),
    "models": _list_of(_REPOSITORY),
    "datasets": _list_of(_REPOSITORY),
    "tags": _list_of(_text()),
    "preload_from_hub": _list_of(
        _like(r"[\w.-]+/[\w.-]+( [\w./,*-]+)?( [0-9a-f]{40})?", "a repository, files, commit")
    ),
    "thumbnail": _text(),
    "license": _like(r"[a-z0-9.-]+", "the short name of a licence"),
    "pinned": _truth,
    "disable_embedding": _truth,
    "hf_oauth": _truth,
    "hf_oauth_scopes": _list_of(_one_of(*SCOPES)),
    "hf_oauth_expiration_minutes": _minutes,
    "hf_oauth_authorized_org": lambda value: "" if isinstance(value, str | list) else "an organization, or a list",
    "custom_headers": lambda value: "" if isinstance(value, dict) else "a table of headers",
}
_NEEDED = ("title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version", "app_file")


def _front_matter(root: Path) -> str:
    matter = _matter(root)
    if missing := [name for name in _NEEDED if name not in matter]:
        raise _Wrong(f"README.md does not say {', '.join(missing)}; add it to the block at its top.")
    if unknown := [str(name) for name in matter if name not in _FIELDS]:
        raise _Wrong(f"{', '.join(unknown)} is not in the Hub's reference; remove it, or correct its spelling.")
    for name, value in matter.items():
        if wanted := _FIELDS[name](value):
            raise _Wrong(f"{name} is {value!r}; it must be {wanted}.")
    return f"{len(matter)} fields, all as the Hub's reference has them."


# --- versions ---------------------------------------------------------------------------------------------------------


def _app_file(root: Path) -> str:
    file = str(_matter(root).get("app_file", ""))
    if not file or not (root / file).is_file():
        raise _Wrong(f"app_file names {file or 'nothing'}, which is not there; correct it.")
    return f"{file} is there."


def _needs(root: Path) -> Iterator[Requirement]:
    for line in (root / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if text := line.partition("#")[0].strip():
            try:
                yield Requirement(text)
            except InvalidRequirement as error:
                raise _Wrong(f"requirements.txt says {text!r}, which pip cannot read: {error}.") from error


def _gradio(root: Path) -> str:
    version = str(_matter(root).get("sdk_version", ""))
    wanted = next((need.specifier for need in _needs(root) if need.name == "gradio"), SpecifierSet())
    if not version or not wanted.contains(version):
        raise _Wrong(
            f"sdk_version is {version or 'not said'}, and requirements.txt wants gradio {wanted}; make them agree."
        )
    return f"Gradio {version} of the Space is within {wanted or 'any version'} of requirements.txt."


def _python(root: Path) -> str:
    version = str(_matter(root).get("python_version", ""))
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = SpecifierSet(project["requires-python"])
    if not version or not wanted.contains(version if version.count(".") > 1 else f"{version}.0"):
        raise _Wrong(f"python_version is {version or 'not said'}, and pyproject.toml wants {wanted}; make them agree.")
    return f"Python {version} of the Space is within {wanted} of pyproject.toml."


def _requirements(root: Path) -> str:
    needs = list(_needs(root))
    for need in needs:
        if not any(each.operator in (">=", "==", "~=") for each in need.specifier):
            raise _Wrong(f"requirements.txt gives no lowest version of {need.name}; add one.")
        if (listed := LISTED.get(need.name)) and not need.specifier.contains(listed):
            raise _Wrong(f"requirements.txt wants {need}; ZeroGPU lists nothing above {listed}: lower the bound.")
    return f"{len(needs)} requirements, each with a lowest version that a Space can have."


# --- files ------------------------------------------------------------------------------------------------------------


def _git(root: Path, *words: str) -> str:
    try:
        run = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _Unseen(f"git did not answer ({error}); run this in a clone, with git installed.") from error
    if run.returncode > 1 or (run.returncode and run.stderr):
        raise _Unseen(f"git says: {run.stderr.strip()[:200]}. Run this in a clone of the repository.")
    return run.stdout


def _tracked(root: Path) -> list[str]:
    return [path for path in _git(root, "ls-files", "-z").split("\0") if path and (root / path).is_file()]


def _sizes(root: Path) -> str:
    sizes = {path: (root / path).stat().st_size for path in _tracked(root)}
    total, large = sum(sizes.values()), [path for path, size in sizes.items() if size > LARGEST_FILE]
    stored = _git(root, "check-attr", "filter", "--", *large) if large else ""
    if plain := [path for path in large if f"{path}: filter: lfs" not in stored]:
        raise _Wrong(f"{', '.join(plain)} is over 10 MiB, which the Hub refuses; store it by git-lfs, or leave it out.")
    if total > LARGEST_TREE:
        raise _Wrong(f"The files have {total / 1e6:,.0f} MB in all; every build fetches them. Leave the largest out.")
    return f"{len(sizes)} files with {total / 1e6:.1f} MB in all, none over 10 MiB."


def _keys(root: Path) -> str:
    """By git's own search, so that only what would be published is looked at. No key is repeated."""
    for what, pattern in KEYS:
        if found := _git(root, "grep", "-IlE", "-e", pattern).split("\n")[0]:
            raise _Wrong(f"{found} holds what looks like {what}; remove it, and make it invalid where it is from.")
    return f"No file holds what looks like {', '.join(what for what, _ in KEYS)}."


def _personal(root: Path) -> str:
    found = [path for path in _tracked(root) if PERSONAL.search(path) and not path.startswith(MADE_UP)]
    if found:
        raise _Wrong(f"{', '.join(found[:3])} would be published; take it out of the repository with git rm --cached.")
    return "No votes, uploads or environment files are in the tree."
