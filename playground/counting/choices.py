"""Knows what filters need from elsewhere: the subject of each prompt, the size of each model. Reads no vote."""

from __future__ import annotations

from collections.abc import Iterable

from playground.catalog import Catalog
from playground.counting import sizes
from playground.errors import UsageError
from playground.types import Prompt


def subjects(prompts: Iterable[Prompt]) -> dict[str, str]:
    """The subject of each prompt of the library by its id."""
    return {prompt.id: prompt.subject for prompt in prompts}


def classes(catalog: Catalog) -> dict[str, str]:
    """The size class of each model by its key."""
    return {row.key: sizes.size(row.parameters_b) for row in catalog}


def subject(name: str, known: Iterable[str]) -> str:
    """The subject with that name, however it is written. Raises UsageError with the names there are."""
    names = list(dict.fromkeys(known))
    for each in names:
        if each.lower() == name.strip().lower():
            return each
    raise UsageError(f"There is no subject {name!r}. Choose one of: {', '.join(names)}.")
