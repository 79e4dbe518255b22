"""Knows the prompts in a folder of TOML files. Knows nothing of models, and never opens an image.

A file is one subject: `subject = "..."` and a `[[prompt]]` table for each prompt, with `id` and `text`, and optionally
`system`, `images` (paths relative to the folder) and `look_for`. Files come in the order of their names.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from playground.errors import LibraryError
from playground.types import Prompt

_FILE_FIELDS = ("subject", "prompt")
_PROMPT_FIELDS = ("id", "text", "system", "images", "look_for")
_REQUIRED = ("id", "text")
_TYPED = Prompt("").id


def load(folder: Path) -> tuple[Prompt, ...]:
    """Every prompt of the folder's *.toml files, files by name, prompts as written; () where there are none.

    Raises LibraryError for a folder that cannot be read and for anything wrong in a file, and names the place.
    """
    if not folder.is_dir():
        raise LibraryError(f"There is no folder {folder} to read prompts from. Make it, or name another one.")
    prompts: list[Prompt] = []
    files: dict[str, str] = {}
    for path in sorted(folder.glob("*.toml")):
        for number, prompt in enumerate(read(path), start=1):
            if prompt.id in files:
                where = f"{path.name}, prompt {number} ({prompt.id})"
                raise LibraryError(f"{where}: `id` is already used in {files[prompt.id]}. Give it another.")
            files[prompt.id] = path.name
            prompts.append(prompt)
    return tuple(prompts)


def read(path: Path) -> list[Prompt]:
    """The prompts of one file. Raises LibraryError that names file, prompt and field."""
    data = _parsed(path)
    _refuse_unknown(data, _FILE_FIELDS, path.name)
    subject = data.get("subject")
    if not isinstance(subject, str) or not subject.strip():
        raise LibraryError(f'{path.name}: the field `subject` must be there and be text, as in subject = "Code".')
    tables = data.get("prompt", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise LibraryError(f"{path.name}: `prompt` must be [[prompt]] tables, with two brackets on each side.")
    return [_prompt(table, number, subject.strip(), path) for number, table in enumerate(tables, start=1)]


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise LibraryError(f"{path.name} cannot be read: {error.strerror}. Check its permissions.") from error
    except (ValueError, RecursionError) as error:  # wrong TOML, wrong UTF-8, numbers or nesting beyond reason
        raise LibraryError(f"{path.name} is not valid TOML: {error}. Correct that line.") from error


def _prompt(table: dict[str, Any], number: int, subject: str, path: Path) -> Prompt:
    where = f"{path.name}, prompt {number} ({table.get('id', 'no id')})"
    _refuse_unknown(table, _PROMPT_FIELDS, where)
    texts = {name: _text(table, name, where) for name in _PROMPT_FIELDS if name != "images"}
    for name in _REQUIRED:
        if not texts[name]:
            raise LibraryError(f"{where}: the field `{name}` is missing or empty.")
    if texts["id"] == _TYPED:
        raise LibraryError(f"{where}: `id` {_TYPED!r} means a prompt that was typed. Choose another.")
    return Prompt(subject=subject, images=_images(table, where, path.parent), **texts)


def _text(table: dict[str, Any], name: str, where: str) -> str:
    value = table.get(name, "")
    if not isinstance(value, str):
        raise LibraryError(f"{where}: `{name}` must be text, not {value!r}.")
    return value.strip()


def _images(table: dict[str, Any], where: str, folder: Path) -> tuple[Path, ...]:
    names = table.get("images", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise LibraryError(f'{where}: `images` must be a list of file names, as in images = ["images/map.png"].')
    return tuple(_image(name, where, folder) for name in names)


def _image(name: str, where: str, folder: Path) -> Path:
    try:
        path = (folder / name).resolve()
        inside = path.is_relative_to(folder.resolve())
        there = path.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # a name too long, with a NUL, or a circle of links
        raise LibraryError(f"{where}: `images` has {name!r}, which cannot be a file name.") from error
    if not inside:
        raise LibraryError(f"{where}: `images` has {name!r}, which is outside the prompts folder. Copy it into there.")
    if not there:
        raise LibraryError(f"{where}: `images` has {name!r}, which is not a file. Paths are relative to the folder.")
    return folder / name


def _refuse_unknown(table: dict[str, Any], known: Iterable[str], where: str) -> None:
    for name in table:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean `{near[0]}`?" if near else f"Known fields: {', '.join(known)}."
            raise LibraryError(f"{where}: unknown field `{name}`. {hint}")
