"""Knows ModelScope, the other hub of models: what of it is here, how files get here, what its errors mean. Not rows.

Its files lie in this project's own cache, in a folder for each repository and revision. `modelscope:ORG/NAME` is all
that `transformers` reads of a repository, `modelscope:ORG/NAME/FILE.gguf` one file of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from playground import hub
from playground.errors import WeightsError, WorkerError
from playground.types import Loading

PREFIX = "modelscope:"
CHILD = Path(__file__).parent / "engines" / "modelscope_child.py"
ALL_HERE = ".whole"
"""An empty file that is written when all of a repository has come."""
SITE, TOKENS = "https://modelscope.cn", "https://modelscope.cn/my/myaccesstoken"
ROOM = "Make room, choose a folder on a larger disk with --cache, or choose a smaller model."


def folder(repository: str, revision: str, cache: Path) -> Path:
    """Where the files of that repository lie."""
    return cache / "modelscope" / repository.replace("/", "--") / (revision or "master")


def locate(source: str, revision: str, cache: Path) -> Path | None:
    """The file, or the folder, that ORG/NAME/FILE.gguf or ORG/NAME means; None while it is not all here. No network."""
    if found := hub.file_of(source):
        here = [folder(found[0], revision, cache) / piece for piece in hub.pieces(found[1])]
        return here[0] if all(path.is_file() for path in here) else None
    if not hub.is_repository(source):
        return None
    place = folder(source, revision, cache)
    return place if (place / ALL_HERE).is_file() and hub.whole(place) else None


def fetch(source: str, revision: str, cache: Path, run: hub.Run) -> Iterator[Loading]:
    """Bring the file, or what `transformers` reads of the repository; what was cut off goes on. Raises WeightsError."""
    found = hub.file_of(source)
    if found is None and not hub.is_repository(source):
        raise WeightsError(
            f"{PREFIX}{source} is no name of a model: write {PREFIX}ORG/NAME, or {PREFIX}ORG/NAME/FILE.gguf."
        )
    repository, files = (found[0], hub.pieces(found[1])) if found else (source, ())
    place = folder(repository, revision, cache)
    command = [sys.executable, "-P", str(CHILD), repository, revision or "master", str(place)]
    try:
        yield from hub.follow(command, files, {}, run)
    except WorkerError as error:
        raise WeightsError(sentence(repository, str(error))) from error


def sentence(repository: str, said: str) -> str:
    """What a failed fetch's last line means for a person, and what to do next."""
    kind, detail = hub.kind_of(said)
    page = f"{SITE}/models/{repository}"
    match kind:
        case "refused":
            return (
                f"ModelScope does not give {repository} to everybody ({detail}). Look at {page} what it asks for, then "
                f"set MODELSCOPE_API_TOKEN to a key from {TOKENS}."
            )
        case "repository":
            return (
                f"There is no model {repository} at ModelScope, or not that revision of it ({detail}). Check the "
                f"spelling at {page}, and `revision` in the models file."
            )
        case "file":
            return f"{repository} does not have that file ({detail}). Look under Files at {page} for its name now."
        case _:
            return hub.anywhere(repository, kind, detail, "ModelScope", ROOM)
