"""Knows how files of a ModelScope repository get into a folder, and go on where they were cut off.

A program of its own, so that it can be ended at any moment:

    python -P modelscope_child.py REPOSITORY REVISION FOLDER PROGRESS [FILE]...     no FILE: what `transformers` reads

It asks what ModelScope's own client (modelscope-hub 0.5.1) asks: one list of files with sizes and sums, then each file
by ranges. Where and with which key stands in MODELSCOPE_ENDPOINT and MODELSCOPE_API_TOKEN, as for that client. PROGRESS
and the last line of a failure are as in `fetch_child.py`.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from filelock import FileLock

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # `-P` leaves the package itself out, too

from playground import modelscope, settings
from playground.engines import fetch_child
from playground.engines.fetch_child import Stop, Told

UNSEEN = (".gitattributes", ".gitignore", "configuration.json", "README.md")
"""Files of the site, not of the model."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a repository; `sha256` is "" where the list does not say it."""

    path: str
    size: int
    sha256: str


class Site:
    """ModelScope, asked for one repository."""

    def __init__(self, repository: str, revision: str) -> None:
        environment = settings.environment()
        endpoint = (environment.get("MODELSCOPE_ENDPOINT") or modelscope.SITE).rstrip("/")
        self.url, self.revision = f"{endpoint}/api/v1/models/{repository}/repo", revision
        key, cookies = environment.get("MODELSCOPE_API_TOKEN", "").strip(), httpx.Cookies()
        if key:  # older addresses read the cookie; neither is sent on to another host
            cookies.set("m_session_id", key, domain=urlsplit(endpoint).hostname or "")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.client = httpx.Client(headers=headers, cookies=cookies, timeout=30.0, follow_redirects=True)

    def files(self) -> list[File]:
        """All files of the repository. Raises Stop."""
        got = self.client.get(f"{self.url}/files", params={"Revision": self.revision, "Recursive": "True"})
        _check(got, "repository")
        found = (got.json().get("Data") or {}).get("Files") or []
        blobs = [each for each in found if each.get("Type") != "tree"]
        return [File(each["Path"], int(each.get("Size") or 0), each.get("Sha256") or "") for each in blobs]

    def opened(self, path: str) -> fetch_child.More:
        """Asks for a file from a byte on."""

        @contextmanager
        def more(start: int) -> Iterator[tuple[int, Iterator[bytes]]]:
            asked = {"Revision": self.revision, "FilePath": path}
            headers = {"Range": f"bytes={start}-", "Accept-Encoding": "identity"}
            with self.client.stream("GET", self.url, params=asked, headers=headers) as got:
                _check(got, "file")
                yield got.status_code, got.iter_bytes(fetch_child.BLOCK_BYTES)

        return more


def _check(got: httpx.Response, missing: str) -> None:
    """Raises Stop where it is a refusal."""
    if got.is_success:
        return
    kind = {401: "refused", 403: "refused", 404: missing}.get(got.status_code, "other")
    raise Stop(f"{kind} {got.status_code} {got.reason_phrase}")


def main(repository: str, revision: str, folder: str, progress: str, *files: str) -> None:
    """Bring the files. Raises Stop."""
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
        with FileLock(place / ".fetch.lock"):  # two that append to one file would spoil it
            bring(Site(repository, revision), place, Path(progress), files)
    except (httpx.ConnectError, httpx.TimeoutException) as error:
        raise Stop(f"unreachable {fetch_child.first_line(error)}") from error
    except httpx.HTTPError as error:
        raise Stop(f"cut {fetch_child.first_line(error)}") from error
    except OSError as error:
        raise Stop(f"disk {error}" if error.errno == errno.ENOSPC else f"other {error}") from error


def bring(site: Site, place: Path, progress: Path, names: tuple[str, ...]) -> None:
    """All files; the check of the disk comes before the first of them."""
    there = {file.path: file for file in site.files()}
    wanted = names or tuple(name for name in fetch_child.chosen(list(there)) if name not in UNSEEN)
    if lacking := [name for name in wanted if name not in there]:
        raise Stop(f"file {lacking[0]}")
    chosen = [there[name] for name in wanted]
    told = Told(progress, sum(file.size for file in chosen))
    told.room(sum(max(0, file.size - _have(place, file)) for file in chosen), place)
    for file in chosen:
        target = _inside(place, file.path)
        if target.is_file():
            told.add(file.size)
            continue
        part = fetch_child.part_of(target)
        part.parent.mkdir(parents=True, exist_ok=True)
        part.touch()  # an empty file comes without a byte
        fetch_child.fetch(part, target, file.size, file.sha256, told, site.opened(file.path))
    if not names:
        (place / modelscope.ALL_HERE).touch()


def _inside(place: Path, path: str) -> Path:
    """Where that file goes. Raises Stop for a name that leaves the folder."""
    target = (place / path).resolve()
    if not target.is_relative_to(place.resolve()):
        raise Stop(f"other its list names a file outside of it, {path}")
    return target


def _have(place: Path, file: File) -> int:
    target = _inside(place, file.path)
    return file.size if target.is_file() else fetch_child.have(fetch_child.part_of(target))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Stop as stop:
        sys.exit(f"hub: {stop}")
