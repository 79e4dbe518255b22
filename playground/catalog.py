"""Knows which models there are: rows of models files. Knows nothing of what is installed, cached or running.

A file is TOML with one `[[model]]` table a row; the fields are those of `ModelSpec`, and `sampling` and
`sampling_thinking` are tables with the fields of `Sampling`. Capabilities that a row does not name are off.

What several rows share need not be said twice. A `[[model]]` may name

    family = "F"        and has the fields of the table [family.F]
    ways = [{way = "W", ...}]   and is then one row a way, with the model's fields, those of [way.W] and those beside
                        it; its key is the model's, a hyphen and W, its title the model's, a dot and the way's
    like = "KEY"        and has all but key and title of that row, which stands above it or comes with the package

A field that is said twice is what was said last in that order; of two sampling tables, each field is.
"""

from __future__ import annotations

import difflib
import tomllib
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from playground.errors import CatalogError
from playground.types import EngineName, ModelSpec, Sampling

BUILT_IN = Path(__file__).with_name("models.toml")
Table = dict[str, Any]

_REQUIRED = ("key", "title", "engine")
_ENGINES = typing.get_args(EngineName)
_SAMPLINGS = ("sampling", "sampling_thinking")
_FIELDS: Mapping[str, object] = {**typing.get_type_hints(ModelSpec), **typing.get_type_hints(Sampling)}
_OF_SAMPLING = {field.name for field in fields(Sampling)}
_OF_ROWS = {field.name for field in fields(ModelSpec)}
_TOP = {"model", "family", "way"}


class Catalog:
    """Rows by key, in the order people should see them. `own` are the keys of the person's own file."""

    def __init__(self, rows: Iterable[ModelSpec], own: Iterable[str] = ()) -> None:
        self._rows = {row.key: row for row in rows}
        self.own = frozenset(own)

    def __iter__(self) -> Iterator[ModelSpec]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def row(self, key: str) -> ModelSpec:
        """The row with that key; KEY/MODEL is that model of a server whose row names none (a template).

        Raises CatalogError with the nearest keys.
        """
        if key in self._rows:
            return self._rows[key]
        template, _, model = key.partition("/")
        if model and template in self._rows and self._rows[template].template:
            return self._offered(self._rows[template], model)
        near = difflib.get_close_matches(key, self._rows, n=2, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(self._rows)}."
        raise CatalogError(f"There is no model with the key {key!r}. {hint}")

    def _offered(self, template: ModelSpec, model: str) -> ModelSpec:
        """The row of one model of a server. What is known of a model by its name on the Hub is so there too."""
        known = next((row for row in self if row.repository and row.repository.lower() == model.lower()), template)
        facts = {name: getattr(known, name) for name in FACTS}
        return replace(
            template, key=f"{template.key}/{model}", title=f"{template.title} · {model}", source=model, **facts
        )


FACTS = (
    *("family", "maker", "licence", "repository", "reads_images", "thinking", "thinks_unasked", "sampling"),
    *("sampling_thinking", "parameters_b", "active_parameters_b", "trained_context_tokens"),
)
"""Fields that are true of a model wherever it runs."""


def load(own: Path | None = None) -> Catalog:
    """The package's rows and those of the person's own file, whose rows come first and win. Raises CatalogError."""
    ours = read(BUILT_IN)
    mine = read(own, ours) if own else []
    own_keys = {row.key for row in mine}
    return Catalog([*mine, *(row for row in ours if row.key not in own_keys)], own_keys)


def read(path: Path, known: Iterable[ModelSpec] = ()) -> list[ModelSpec]:
    """The rows of one file; `known` are rows that a `like` may name. Raises CatalogError: file, row and field."""
    data = _parsed(path)
    shared = {kind: _shared(data, kind, path) for kind in ("family", "way")}
    tables = {row.key: _plain(row) for row in known}
    rows: list[ModelSpec] = []
    seen: dict[str, int] = {}
    for number, table in enumerate(data.get("model", []), start=1):
        where = f"{path}, row {number} ({table.get('key', 'no key')})"
        for whole in _expanded(table, where, shared, tables):
            row = _row(whole, where)
            if row.key in seen:
                raise CatalogError(f"{path}, row {number}: `key` {row.key!r} is already used by row {seen[row.key]}.")
            seen[row.key], tables[row.key] = number, whole
            rows.append(row)
    return rows


# --- from a file to tables that say everything ----------------------------------------------------------------------


def _parsed(path: Path) -> Table:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise CatalogError(f"The models file {path} cannot be read: {error.strerror}. Check --models.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogError(f"The models file {path} is not valid TOML: {error}.") from error
    unknown = set(data) - _TOP
    tables = data.get("model", [])
    if unknown or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        what = f"has {', '.join(sorted(unknown))}" if unknown else "has `model` in another form"
        raise CatalogError(f"{path} {what}; a models file holds [[model]] tables only, and [family.*] and [way.*].")
    return data


def _shared(data: Table, kind: str, path: Path) -> dict[str, Table]:
    """The tables [family.*] or [way.*] by name, checked."""
    tables = data.get(kind, {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise CatalogError(f"{path} has `{kind}` in another form; write [{kind}.NAME] and fields below it.")
    for name, table in tables.items():
        _check(table, f"{path}, {kind} {name}", _OF_ROWS - {"key", "family"})
    return tables


def _expanded(
    table: Table, where: str, shared: Mapping[str, dict[str, Table]], known: Mapping[str, Table]
) -> Iterator[Table]:
    """The table with all that it takes from others: one, or one for each of its ways."""
    own = {name: value for name, value in table.items() if name not in ("like", "ways")}
    family = _named(table, "family", shared["family"], where) if shared["family"] else {}
    like = {k: v for k, v in _named(table, "like", known, where).items() if k not in ("key", "title")}
    base = _merged(like, family, own)
    ways = table.get("ways")
    if ways is None:
        yield base
        return
    if not isinstance(ways, list) or not ways or not all(isinstance(way, dict) and way.get("way") for way in ways):
        raise CatalogError(f'{where}: `ways` must be a list such as [{{way = "NAME"}}], with NAME of a [way.NAME].')
    for way in ways:
        here = f"{where}, way {way['way']}"
        common, beside = _named(way, "way", shared["way"], here), {k: v for k, v in way.items() if k != "way"}
        _check(beside, here, _OF_ROWS - {"key", "title", "family"})
        title = " · ".join(str(part) for part in (base.get("title"), common.get("title")) if part)
        key = f"{base['key']}-{way['way']}" if base.get("key") else ""
        yield _merged(base, common, beside, {"key": key, "title": title})


def _named(table: Table, field: str, known: Mapping[str, Table], where: str) -> Table:
    """What `like`, `family` or `way` of this table names; nothing where it names nothing."""
    name = table.get(field, "")
    if name in ("", None):
        return {}
    if not isinstance(name, str) or name not in known:
        near = difflib.get_close_matches(str(name), known, n=1)
        hint = f"Did you mean `{near[0]}`?" if near else f"There are: {', '.join(known) or 'none'}."
        raise CatalogError(f"{where}: `{field}` is {name!r}, which is not there. {hint}")
    return known[name]


def _merged(*tables: Table) -> Table:
    """What is said last holds; of a sampling table, field by field."""
    whole: Table = {}
    for table in tables:
        for name, value in table.items():
            before = whole.get(name)
            both = name in _SAMPLINGS and isinstance(before, dict) and isinstance(value, dict)
            whole[name] = {**before, **value} if both and before is not None else value
    return whole


def _plain(row: ModelSpec) -> Table:
    """A row as a table of what it says."""
    said = {f.name: getattr(row, f.name) for f in fields(row) if getattr(row, f.name) not in (None, "")}
    samplings = {name: said[name] for name in _SAMPLINGS if name in said}
    return said | {
        name: {f.name: value for f in fields(one) if (value := getattr(one, f.name)) is not None}
        for name, one in samplings.items()
    }


# --- from a table to a row ------------------------------------------------------------------------------------------


def _row(table: Table, where: str) -> ModelSpec:
    _check(table, where, _OF_ROWS)
    for name in _REQUIRED:
        if not table.get(name):
            raise CatalogError(f"{where}: the field `{name}` is missing.")
    if table["engine"] not in _ENGINES:
        raise CatalogError(f"{where}: `engine` is {table['engine']!r}; it must be one of {', '.join(_ENGINES)}.")
    if table["engine"] == "openai" and not table.get("base_url"):
        raise CatalogError(f"{where}: the field `base_url` is missing; the engine openai needs the server's address.")
    whole = {"source": table.get("repository", "")} | table
    if table["engine"] != "openai" and not whole["source"]:
        raise CatalogError(f"{where}: the field `source` is missing; it says where the weights are.")
    if whole.get("mmproj") and table["engine"] != "llama.cpp":
        raise CatalogError(f"{where}: `mmproj` is for the engine llama.cpp; {table['engine']} has no use for it.")
    if whole.get("adapter"):
        _check_adapter(whole, where)
    return ModelSpec(**whole | {name: Sampling(**table[name]) for name in _SAMPLINGS if name in table})


def _check_adapter(table: Table, where: str) -> None:
    """It is for an engine that can use it, and looks like a place. Raises CatalogError."""
    adapter, engine = table["adapter"], table["engine"]
    if engine != "transformers":
        raise CatalogError(f"{where}: `adapter` is for the engine transformers; {engine} has no use for it.")
    if not {"/", "\\"} & set(adapter) or "://" in adapter:
        raise CatalogError(
            f"{where}: `adapter` is {adapter!r}; it must be a folder, such as ./my-adapter, or a repository ORG/NAME."
        )


def _check(table: Table, where: str, known: Iterable[str]) -> None:
    """Every field is known and of its kind. Raises CatalogError."""
    for name, value in table.items():
        if name not in known:
            choices = {*known, "like", "ways"} if "key" in known else set(known)
            near = difflib.get_close_matches(name, choices, n=1)
            hint = f" Did you mean `{near[0]}`?" if near else f" Known fields: {', '.join(sorted(choices))}."
            raise CatalogError(f"{where}: unknown field `{name}`.{hint}")
        if name in _SAMPLINGS:
            if not isinstance(value, dict):
                raise CatalogError(f"{where}: `{name}` must be a table.")
            _check(value, f"{where}, {name}", _OF_SAMPLING)
        elif wanted := _misfit(name, value):
            raise CatalogError(f"{where}: `{name}` must be {wanted}, not {value!r}.")


def _misfit(name: str, value: object) -> str:
    """What the field wants to be and is not; "" when it fits."""
    kind, least = str(_FIELDS[name]), 1 if name == "requests_at_once" else 0
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if "bool" in kind:
        return "" if isinstance(value, bool) else "true or false"
    if "int" in kind:
        fits = number and isinstance(value, int) and value >= least
        return "" if fits else "a whole number" + (f" from {least}" if least else "")
    if "float" in kind:
        return "" if number and _LEAST.get(name, 0.0) <= float(str(value)) < float("inf") else "a number"
    return "" if isinstance(value, str) else "text"


_LEAST = {"presence_penalty": -2.0}
