"""Knows the Hub of models: names of files there, what of them is in its cache, how they get here, what its errors mean.
Knows no row.

Everything that asks the Hub runs in a program of its own (`engines/fetch_child.py`), so that it can be cancelled.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import httpx

from playground import disk
from playground.errors import WeightsError, WorkerError
from playground.masking import mask
from playground.types import Loading

CHILD = Path(__file__).parent / "engines" / "fetch_child.py"
TOKENS = "https://huggingface.co/settings/tokens"
ROOM = "Make room, set HF_HOME to a larger disk, or choose a smaller model."

Run = Callable[[Sequence[str], Mapping[str, str]], Iterator[None]]
"""Runs a program with additions to its environment, a turn every now and then while it lasts; leaving early ends it.
Raises WorkerError with the last line it said (see `engines.guard.run`)."""


def is_repository(source: str) -> bool:
    """It has the form ORG/NAME."""
    return bool(re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", source)) and not source.endswith(".gguf")


def file_of(source: str) -> tuple[str, str] | None:
    """Repository and file of a source that names one GGUF file of the Hub."""
    found = re.fullmatch(r"(\w[\w.-]*/\w[\w.-]*)[/:](.+\.gguf)", source)
    return (found[1], found[2]) if found else None


def pieces(file: str) -> tuple[str, ...]:
    """All files of a GGUF that was cut in pieces (name-00001-of-00003.gguf), or the file itself."""
    found = re.fullmatch(r"(.+-)00001(-of-(\d{5})\.gguf)", file)
    return tuple(f"{found[1]}{n:05}{found[2]}" for n in range(1, int(found[3]) + 1)) if found else (file,)


class Question:
    """Does the Hub answer? Asked once, in the background, from `start` on."""

    LIMIT_S = 2.0

    def __init__(self, endpoint: str = "", *, offline: bool = False) -> None:
        self._url = (endpoint or "https://huggingface.co").rstrip("/") + "/api/models?limit=1"
        self._yes = False
        self._answered, self._lock = threading.Event(), threading.Lock()
        self._thread: threading.Thread | None = None
        if offline:
            self._answered.set()

    def start(self) -> None:
        """Ask, if nobody has; returns at once."""
        with self._lock:
            if self._thread is None and not self._answered.is_set():
                self._thread = threading.Thread(target=self._ask, name="hub", daemon=True)
                self._thread.start()

    def answer(self) -> bool:
        """What is known now: False while it is not known. Waits for nothing."""
        return self._yes

    def wait(self) -> bool:
        """The answer; False where none came within the limit."""
        self.start()
        self._answered.wait(self.LIMIT_S)
        return self._yes

    def _ask(self) -> None:
        until_s = time.monotonic() + self.LIMIT_S
        with suppress(httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
            found = httpx.get(self._url, timeout=self.LIMIT_S)
            self._yes = found.is_success and time.monotonic() <= until_s
        self._answered.set()


# --- what is here ---------------------------------------------------------------------------------------------------


def cached_file(repository: str, file: str, revision: str) -> Path | None:
    """That file in the Hub's cache (of a cut GGUF the first piece), None unless all of it is there. No network."""
    found = [_cached(repository, piece, revision) for piece in pieces(file)]
    return found[0] if all(found) else None


def cached_repository(repository: str, revision: str) -> Path | None:
    """The folder of that repository in the Hub's cache, None unless its weights are whole. No network."""
    config = _cached(repository, "config.json", revision)
    return config.parent if config and whole(config.parent) else None


def _cached(repository: str, file: str, revision: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache  # late: it takes a quarter of a second

    found = try_to_load_from_cache(repository, file, revision=revision or None)
    return Path(found) if isinstance(found, str) and Path(found).is_file() else None


def whole(folder: Path) -> bool:
    """All weights of a checkpoint are there: a download that was cut off leaves the small files, which come first."""
    for index in folder.glob("*.index.json"):
        with suppress(OSError, ValueError, AttributeError):
            needed = set(json.loads(index.read_text(encoding="utf-8")).get("weight_map", {}).values())
            return bool(needed) and all((folder / name).is_file() for name in needed)
    return any(any(folder.glob(pattern)) for pattern in ("*.safetensors", "*.bin"))


# --- bringing it here -----------------------------------------------------------------------------------------------


def fetch(repository: str, files: Sequence[str], revision: str, run: Run) -> Iterator[Loading]:
    """Bring these files (none named: what `transformers` reads) into the Hub's cache; what was cut off goes on.

    Raises WeightsError with a sentence.
    """
    named = [piece for file in files for piece in pieces(file)]
    # the environment names the Hub, its key and its cache; a newer client is not to be advertised
    quiet = {"HF_HUB_DISABLE_UPDATE_CHECK": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    try:
        yield from follow([sys.executable, "-P", str(CHILD), repository, revision], named, quiet, run)
    except WorkerError as error:
        raise WeightsError(sentence(repository, str(error))) from error


def follow(command: Sequence[str], files: Sequence[str], settings: Mapping[str, str], run: Run) -> Iterator[Loading]:
    """Run a program that fetches, `command PROGRESS FILE...`, and tell what it writes into that file. Raises
    WorkerError."""
    with tempfile.TemporaryDirectory() as folder:
        progress = Path(folder) / "progress"
        for _ in run([*command, str(progress), *files], settings):
            yield _progress(progress)
        yield _progress(progress)


def _progress(path: Path) -> Loading:
    with suppress(OSError, ValueError):
        done, total, left, whole, where = path.read_text(encoding="utf-8").split(maxsplit=4)
        note = disk.note(int(left), int(whole), where)
        return Loading("fetching", int(done), int(total), "bytes", note)
    return Loading("fetching")


def sentence(repository: str, said: str) -> str:
    """What a failed fetch's last line means for a person, and what to do next."""
    kind, detail = kind_of(said)
    page = f"https://huggingface.co/{repository}"
    match kind:
        case "gated":
            return (
                f"{repository} asks you to accept its licence first: sign in at {page}, accept it there, then set "
                f"HF_TOKEN to a key from {TOKENS} (or run `hf auth login`) and ask again."
            )
        case "repository":
            return (
                f"There is no model {repository} on the Hub, or it is private. Check the spelling at {page}; "
                f"for a private one set HF_TOKEN to a key from {TOKENS}."
            )
        case "revision":
            return f"{repository} has no revision {detail}. Correct `revision` in the models file."
        case "file":
            return f"{repository} does not have that file ({detail}). Look under Files at {page} for its name now."
        case "key":
            return f"The Hub does not accept the key in HF_TOKEN. Make a new one at {TOKENS}, or unset it."
        case _:
            return anywhere(repository, kind, detail, "The Hub", ROOM)


def kind_of(said: str) -> tuple[str, str]:
    """Kind and detail of a failure's last line; no kind where the program itself failed."""
    kind, _, detail = said.removeprefix("hub: ").partition(" ")
    return (kind, mask(detail)) if said.startswith("hub: ") else ("", mask(said))


def anywhere(repository: str, kind: str, detail: str, site: str, room: str) -> str:
    """The sentence of a failure that every site of models knows; `room` is how to make room for files of this one."""
    match kind:
        case "":
            return f"{repository} could not be fetched: {detail} Check the network and the name, then ask again."
        case "disk":
            return _no_room(repository, detail, room)
        case "cut":
            return (
                f"The download of {repository} was cut off{_so_far(detail)}. "
                "What is here is kept: ask again, and it goes on from there."
            )
        case "damaged":
            return f"A file of {repository} came damaged (its size or SHA-256 differs) and was thrown away. Ask again."
        case "unreachable":
            return (
                f"{site} does not answer, so {repository} cannot be fetched. Check the network (and HTTPS_PROXY), "
                "or choose a model that is already here."
            )
        case _:
            return f"{repository} could not be fetched: {detail}. Ask again, or choose another model."


def _no_room(repository: str, detail: str, room: str) -> str:
    """There is no room for it: known beforehand (bytes needed, bytes free, where), or found out meanwhile."""
    numbers = re.match(r"(\d+) (\d+) (.+)", detail)
    if not numbers:
        return f"The disk is full, so {repository} could not be kept. {room}"
    return disk.refusal(repository, int(numbers[1]), int(numbers[2]), numbers[3], room)


def _so_far(detail: str) -> str:
    """How much had come when it was cut off."""
    numbers = re.match(r"(\d+) (\d+)", detail)
    return f" after {int(numbers[1]) / 1e9:.1f} of {int(numbers[2]) / 1e9:.1f} GB" if numbers else ""
