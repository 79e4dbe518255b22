"""Knows which models there are: rows of models files. Knows nothing of what is installed, cached or running.

A file is TOML with one `[[model]]` table a row; the fields are those of `ModelSpec`, and `sampling` is a table with
`temperature`, `top_p`, `max_tokens`, `seed`, `thinking`. Capabilities that a row does not name are off.
"""

from __future__ import annotations

import difflib
import tomllib
import typing
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from playground.errors import CatalogError
from playground.types import EngineName, ModelSpec, Sampling

BUILT_IN = Path(__file__).with_name("models.toml")
_REQUIRED = ("key", "title", "engine")
_NUMBERS = {"temperature", "top_p", "parameters_b"}
_INTEGERS = {"context_tokens", "max_tokens", "seed", "requests_at_once"}
_BOOLEANS = {"reads_images", "thinking"}
_ENGINES = typing.get_args(EngineName)


class Catalog:
    """Rows by key, in the order people should see them. `own` are the keys of the person's own file."""

    def __init__(self, rows: Iterable[ModelSpec], own: Iterable[str] = ()) -> None:
        self._rows = {row.key: row for row in rows}
        self.own = frozenset(own)

    def __iter__(self) -> typing.Iterator[ModelSpec]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def row(self, key: str) -> ModelSpec:
        """The row with that key. Raises CatalogError with the nearest keys."""
        if key in self._rows:
            return self._rows[key]
        near = difflib.get_close_matches(key, self._rows, n=2, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(self._rows)}."
        raise CatalogError(f"There is no model with the key {key!r}. {hint}")


def load(own: Path | None = None) -> Catalog:
    """The package's rows and those of the person's own file, whose rows come first and win. Raises CatalogError."""
    mine = read(own) if own else []
    own_keys = {row.key for row in mine}
    return Catalog([*mine, *(row for row in read(BUILT_IN) if row.key not in own_keys)], own_keys)


def read(path: Path) -> list[ModelSpec]:
    """The rows of one file. Raises CatalogError that names file, row and field."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise CatalogError(f"The models file {path} cannot be read: {error.strerror}. Check --models.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogError(f"The models file {path} is not valid TOML: {error}.") from error
    unknown = set(data) - {"model"}
    tables = data.get("model", [])
    if unknown or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        what = f"has {', '.join(sorted(unknown))}" if unknown else "has `model` in another form"
        raise CatalogError(f"{path} {what}; a models file holds [[model]] tables only.")
    rows = [_row(table, path, number) for number, table in enumerate(tables, start=1)]
    _refuse_duplicates(rows, path)
    return rows


def _row(table: dict[str, Any], path: Path, number: int) -> ModelSpec:
    where = f"{path}, row {number} ({table.get('key', 'no key')})"
    _check(table, where, {f.name for f in fields(ModelSpec)})
    for name in _REQUIRED:
        if not table.get(name):
            raise CatalogError(f"{where}: the field `{name}` is missing.")
    if table["engine"] not in _ENGINES:
        raise CatalogError(f"{where}: `engine` is {table['engine']!r}; it must be one of {', '.join(_ENGINES)}.")
    if table["engine"] == "openai" and not table.get("base_url"):
        raise CatalogError(f"{where}: the field `base_url` is missing; the engine openai needs the server's address.")
    if table["engine"] != "openai" and not table.get("source"):
        raise CatalogError(f"{where}: the field `source` is missing; it says where the weights are.")
    sampling = table.get("sampling", {})
    if not isinstance(sampling, dict):
        raise CatalogError(f"{where}: `sampling` must be a table.")
    _check(sampling, f"{where}, sampling", {f.name for f in fields(Sampling)})
    return ModelSpec(**{**table, "sampling": Sampling(**sampling)})


def _check(table: dict[str, Any], where: str, known: set[str]) -> None:
    for name, value in table.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean `{near[0]}`?" if near else f" Known fields: {', '.join(sorted(known))}."
            raise CatalogError(f"{where}: unknown field `{name}`.{hint}")
        if name != "sampling" and not _fits(name, value):
            raise CatalogError(f"{where}: `{name}` must be {_wanted(name)}, not {value!r}.")


def _fits(name: str, value: object) -> bool:
    if name in _BOOLEANS:
        return isinstance(value, bool)
    if name in _INTEGERS:
        return isinstance(value, int) and not isinstance(value, bool) and value >= (name == "requests_at_once")
    if name in _NUMBERS:
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")
    return isinstance(value, str)


def _wanted(name: str) -> str:
    if name in _BOOLEANS:
        return "true or false"
    if name in _INTEGERS:
        return "a whole number" + (" from 1" if name == "requests_at_once" else "")
    return "a number" if name in _NUMBERS else "text"


def _refuse_duplicates(rows: list[ModelSpec], path: Path) -> None:
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, start=1):
        if row.key in seen:
            raise CatalogError(f"{path}, row {number}: `key` {row.key!r} is already used by row {seen[row.key]}.")
        seen[row.key] = number
