"""Knows the shapes that come with the package, and which row has which. Knows no machine."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from playground.fit.config import Config
from playground.types import ModelSpec

FILE = Path(__file__).parent.parent / "architectures.toml"


@dataclass(frozen=True, slots=True)
class Shape:
    """One table of the file. `files` are published sizes of GGUF files in bytes, by quantisation."""

    family: str
    config: Config
    files: Mapping[str, int] = field(default_factory=dict)


@cache
def shapes(path: Path = FILE) -> Mapping[str, Shape]:
    """Every shape by the lower-case name of each of its sources."""
    tables: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))["model"]
    found: dict[str, Shape] = {}
    for table in tables:
        shape = Shape(table["family"], table["config"], table.get("files", {}))
        found |= {str(source).lower(): shape for source in table["sources"]}
    return found


def shape_of(spec: ModelSpec) -> Shape | None:
    """The shape of the row's model by the Hub's page it names or by its source; None where none is known."""
    names = [name.removeprefix("modelscope:") for name in (spec.repository, spec.source) if name]
    return next((found for name in names if (found := by_name(name)) is not None), None)


def by_name(name: str) -> Shape | None:
    """ORG/NAME, or a file or GGUF repository made from it: ORG/NAME-GGUF/FILE.gguf, other/ORG_NAME-GGUF."""
    known = shapes()
    if found := known.get(name.lower()):
        return found
    repository = re.match(r"[\w.-]+/([\w.-]+?)-gguf(?:[/:]|$)", name.lower())
    if repository is None:
        return None
    return next((shape for source, shape in known.items() if _same(source, repository[1])), None)


def _same(source: str, name: str) -> bool:
    """The repository is named like that source, with or without its owner."""
    return name in (source.rpartition("/")[2], source.replace("/", "_"))
