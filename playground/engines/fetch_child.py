"""Knows how files of a Hub repository get into the Hub's cache, and go on where they were cut off.

A program of its own, so that it can be ended at any moment:

    python -P fetch_child.py REPOSITORY REVISION PROGRESS [FILE]...      no FILE: all that `transformers` may need

`huggingface_hub` throws away what it has of a file when it is ended; so large files are brought by this program, by
ranges, and it is left the rest: small files, names, revisions. PROGRESS is a file that says, in bytes, how much is here
and how much it is in all, then what of the disk will be left, all of that disk, and where it is. The last line of a
failure is `hub: KIND DETAIL` (see `playground.hub`). `modelscope_child.py` uses the parts that know no Hub.
"""

from __future__ import annotations

import errno
import fnmatch
import hashlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

LARGE_BYTES = 32_000_000
BLOCK_BYTES = 1_000_000
TRIES = 5
"""So often without a single new byte, a download is given up. What is there stays for the next time."""
LEAVE = ("*.gguf", "*.bin", "*.pt", "*.pth", "*.onnx", "*.h5", "*.msgpack", "original/*", "metal/*", "consolidated*")
"""Other forms of the same weights."""


More = Callable[[int], AbstractContextManager[tuple[int, Iterator[bytes]]]]
"""Asks for a file from a byte on: the status of the answer, and its body in blocks."""


class Stop(Exception):
    """Said on the last line."""


def main(repository: str, revision: str, progress: str, *files: str) -> None:
    """Bring the files. Raises Stop."""
    import httpx2
    from filelock import FileLock
    from huggingface_hub import constants, errors

    lock = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}" / ".fetch.lock"
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):  # two that append to one file would spoil it; the second finds all that the first brought
            bring(repository, revision or "main", Path(progress), files)
    except errors.GatedRepoError as error:
        raise Stop(f"gated {first_line(error)}") from error
    except errors.RepositoryNotFoundError as error:
        raise Stop(f"repository {first_line(error)}") from error
    except errors.RevisionNotFoundError as error:
        raise Stop(f"revision {revision}") from error
    except errors.EntryNotFoundError as error:
        raise Stop(f"file {first_line(error)}") from error
    except errors.HfHubHTTPError as error:
        kind = "key" if error.response.status_code == 401 else "other"
        raise Stop(f"{kind} {first_line(error)}") from error
    except (errors.OfflineModeIsEnabled, httpx2.ConnectError, httpx2.TimeoutException) as error:
        raise Stop(f"unreachable {first_line(error)}") from error
    except httpx2.HTTPError as error:
        raise Stop(f"cut {first_line(error)}") from error
    except errors.HFValidationError as error:
        raise Stop(f"repository {first_line(error)}") from error
    except OSError as error:
        raise Stop(f"disk {error}" if error.errno == errno.ENOSPC else f"other {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """What it says, on one line without addresses that hold a signature."""
    said = (line.strip() for line in str(error).splitlines() if line.strip() and "http" not in line)
    return next(said, type(error).__name__)


def bring(repository: str, revision: str, progress: Path, files: tuple[str, ...]) -> None:
    """All files, the small ones last; the check of the disk comes before the first of them."""
    from huggingface_hub import HfApi, constants, get_hf_file_metadata, hf_hub_download, hf_hub_url

    info = HfApi().model_info(repository, revision=revision, files_metadata=True)
    there = {each.rfilename: each.size or 0 for each in info.siblings or ()}
    names = files or chosen(list(there))
    blobs = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}" / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    told = Told(progress, sum(there.get(name, 0) for name in names))
    plans: list[tuple[str, str, Path, int]] = []
    missing = told.total
    for name in names:
        url = hf_hub_url(repository, name, revision=info.sha)
        found = get_hf_file_metadata(url)  # raises for a file that is not there, and for a licence not accepted
        blob, size = blobs / str(found.etag), found.size or 0
        missing -= size if blob.exists() else min(size, have(part_of(blob)))
        plans.append((name, url, blob, size))
    told.room(missing, blobs.parent.parent)
    for _, url, blob, size in plans:
        if size >= LARGE_BYTES and not blob.exists():
            # the tag of a large file is its SHA-256
            fetch(part_of(blob), blob, size, blob.name if len(blob.name) == 64 else "", told, opened(url))
        else:
            told.add(size)
    for name, *_ in plans:
        hf_hub_download(repository, name, revision=info.sha)
    if revision != info.sha:  # the name of the revision now means this commit
        ref = blobs.parent / "refs" / revision
        ref.parent.mkdir(parents=True, exist_ok=True)
        ref.write_text(str(info.sha))


def chosen(there: list[str]) -> tuple[str, ...]:
    """What `transformers` reads of a repository."""
    safe = any(name.endswith(".safetensors") for name in there)
    leave = LEAVE if safe else tuple(pattern for pattern in LEAVE if pattern != "*.bin")
    return tuple(name for name in there if not any(fnmatch.fnmatch(name, pattern) for pattern in leave))


class Told:
    """How far it is, in the progress file."""

    def __init__(self, path: Path, total: int) -> None:
        self.path, self.total, self.done, self.disk = path, total, 0, ""

    def room(self, missing: int, folder: Path) -> None:
        """So many bytes are to come to that folder. Raises Stop where its disk has no room for them."""
        found = shutil.disk_usage(folder)
        if missing > found.free:
            raise Stop(f"disk {missing} {found.free} {folder}")
        self.disk = f"{found.free - missing} {found.total} {folder}"

    def add(self, count: int) -> None:
        """That many bytes more are here."""
        self.done += count
        temporary = self.path.with_suffix(".new")
        temporary.write_text(f"{self.done} {self.total} {self.disk}", encoding="utf-8")
        temporary.replace(self.path)


def part_of(blob: Path) -> Path:
    """Where a large file grows until it is whole."""
    return blob.with_name(f"{blob.name}.part")


def have(path: Path) -> int:
    """Bytes that are there."""
    return path.stat().st_size if path.exists() else 0


def fetch(part: Path, target: Path, size: int, sha256: str, told: Told, more: More) -> None:
    """One file, from where it was cut off; whole and checked or not at all. Raises Stop."""
    import httpx
    import httpx2

    left = TRIES
    told.add(have(part))
    while (before := have(part)) < size:
        try:
            append(part, told, more)
        except (httpx.TransportError, httpx2.TransportError, TimeoutError) as error:
            left = TRIES if have(part) > before else left - 1
            if left <= 0:
                raise Stop(f"cut {before} {size} {first_line(error)}") from error
            time.sleep(min(2.0, 0.2 * (TRIES - left + 1)))
    if have(part) != size or (sha256 and checksum(part) != sha256):
        part.unlink(missing_ok=True)
        raise Stop("damaged")
    part.replace(target)


def append(part: Path, told: Told, more: More) -> None:
    """What is missing of the file, until the connection ends."""
    start = have(part)
    with more(start) as (status, blocks), part.open("ab") as sink:
        if status == 200 and start:  # the server does not know ranges
            sink.truncate(0)
            told.add(-start)
        for block in blocks:
            sink.write(block)
            sink.flush()
            told.add(len(block))


def opened(url: str) -> More:
    """Asks the Hub for a file from a byte on."""

    @contextmanager
    def more(start: int) -> Iterator[tuple[int, Iterator[bytes]]]:
        import httpx2
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]  # lazy

        headers = {**build_hf_headers(), "Range": f"bytes={start}-", "Accept-Encoding": "identity"}
        with (
            httpx2.Client(follow_redirects=True, timeout=30.0) as client,
            client.stream("GET", url, headers=headers) as got,
        ):
            hf_raise_for_status(got)
            yield got.status_code, got.iter_bytes(BLOCK_BYTES)

    return more


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def run(arguments: list[str]) -> Any:
    """The program."""
    try:
        main(*arguments)
    except Stop as stop:
        sys.exit(f"hub: {stop}")


if __name__ == "__main__":
    run(sys.argv[1:])
