"""Knows how votes are copied to a dataset of the Hub, and says how that goes. A vote never waits for it.

`CommitScheduler` of huggingface_hub does the copying: every few minutes it uploads, whole, the files that have changed.
What it leaves open is added here. The app starts without the Hub. A file is copied by one process only: its own, or,
when that one was killed, the next that finds it. How the last copy went can be asked for. The end has a time limit.
"""

from __future__ import annotations

import atexit
import logging
import re
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from huggingface_hub import CommitInfo, CommitScheduler, HfApi, get_session
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.hf_api import RepoUrl

from playground.errors import UsageError, VoteError
from playground.votes import file, places

log = logging.getLogger(__name__)
FINAL_S = 10.0
_ANSWER_S = 60.0
"""huggingface_hub waits without end for an answer unless told otherwise."""
_TRANSIENT = (408, 429)
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
State = Literal["waiting", "ok", "rejected", "unchecked"]


@dataclass(frozen=True, slots=True)
class Status:
    """How the copies go: `state` of the last attempt, `pushed_at` and `failed_at` in seconds since the epoch, and in
    `error` why the last one that failed did, in words for a person."""

    repo: str
    state: State = "waiting"
    pushed_at: float | None = None
    failed_at: float | None = None
    error: str = ""


class Sync:
    """Copies of one process's votes file, from now until `close`. `gate` is held while the file is looked at."""

    def __init__(self, repo: str, token: str | None, path: Path, minutes: float = 5.0, endpoint: str | None = None):
        """`path` is where this process, and no other, will write. Raises UsageError when the repository's name, the
        token or the folder cannot be right; whether the Hub thinks so too, `status` says later."""
        check(repo, token)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._alive = _owner_of(path)
            self._alive.acquire(blocking=False)
        except OSError as error:
            raise UsageError(
                f"{path.parent} cannot be written ({error.strerror or error}). Choose another folder with --votes."
            ) from error
        self._path = path
        self._scheduler = _Scheduler(repo, _Api(endpoint=endpoint, token=token), path, minutes)
        self.gate = self._scheduler.lock

    @property
    def status(self) -> Status:
        """How it goes now."""
        return self._scheduler.status

    def push(self) -> Future[CommitInfo | None]:
        """Copy now what is new; the last attempt's outcome is in `status` when this is done."""
        return self._scheduler.trigger()

    def close(self, within_s: float = FINAL_S) -> bool:
        """Copy once more, for at most so long, and never again. Whether all is there; if not, the log says so."""
        problem = self._scheduler.final(within_s)
        self._scheduler.stop()
        self._scheduler.release()
        self._alive.release()
        if problem:
            told = (
                "The last votes were NOT copied to %s: %s They are in %s; the next start with this folder copies them."
            )
            log.warning(told, self.status.repo, problem, self._path)
        return not problem


def check(repo: str, token: str | None) -> None:
    """Raises UsageError for a repository's name or a token that cannot be right."""
    if not _REPO.fullmatch(repo):
        raise UsageError(f"--sync-to takes a dataset of the Hub as OWNER/DATASET, not {repo!r}.")
    if not token:
        raise UsageError(
            f"Votes cannot be copied to {repo} without a token that may write there: export HF_TOKEN, or leave "
            "--sync-to out."
        )


def _owner_of(path: Path) -> FileLock:
    """The lock that is held as long as the process lives whose file this is; the system lets go of it at any death."""
    return FileLock(f"{path}.owner", thread_local=False)


class _Api(HfApi):
    """The scheduler asks for the dataset when it is made; here the first copy does, so that no start needs the Hub."""

    def create_repo(self, repo_id: str, **about: Any) -> RepoUrl:
        return RepoUrl(f"{self.endpoint}/datasets/{repo_id}", endpoint=self.endpoint)

    def really_create(self, repo_id: str) -> None:
        super().create_repo(repo_id, repo_type="dataset", private=True, exist_ok=True)


class _Scheduler(CommitScheduler):
    """Copies the file of this process and those of processes that have died, and notes how it went."""

    def __init__(self, repo: str, api: _Api, path: Path, minutes: float) -> None:
        self.status = Status(repo)
        self._hub, self._name, self._size, self._created = api, path.name, -1, False
        self._adopted: dict[Path, FileLock] = {}
        self._one_at_a_time, self._next_lock = threading.Lock(), threading.Lock()
        self._next: Future[CommitInfo | None] | None = None
        super().__init__(repo_id=repo, repo_type="dataset", folder_path=path.parent, every=minutes, hf_api=api)
        atexit.unregister(self._push_to_hub)  # it has no time limit; `Sync.close` has one

    def trigger(self) -> Future[CommitInfo | None]:
        """A copy in a thread of its own, one after the other; one that waits already will see what is new, too. The
        threads of huggingface_hub would be waited for at exit, so a Hub that hangs would hold the app."""
        with self._next_lock:
            if self._next and not (self._next.running() or self._next.done()):
                return self._next
            self._next = future = Future[CommitInfo | None]()
        threading.Thread(target=self._in_turn, args=(future,), daemon=True).start()
        return future

    def _in_turn(self, future: Future[CommitInfo | None]) -> None:
        with self._one_at_a_time:
            with self._next_lock:
                future.set_running_or_notify_cancel()
            try:
                future.set_result(self._push_to_hub())
            except Exception as error:  # noqa: BLE001 - it belongs to whoever holds the future
                future.set_exception(error)

    def push_to_hub(self) -> CommitInfo | None:
        """Copy what is new. Raises what huggingface_hub does, after it is noted."""
        try:
            get_session().timeout = _ANSWER_S
            if not self._created:
                self._hub.really_create(self.repo_id)
                self._created = True
            self.allow_patterns = self._files()
            self._look_again()
            pushed = super().push_to_hub()
        except Exception as error:
            self.status = replace(self.status, state=_state(error), failed_at=time.time(), error=_words(error))
            raise
        self.status = replace(self.status, state="ok", pushed_at=time.time() if pushed else self.status.pushed_at)
        return pushed

    def final(self, within_s: float) -> str:
        """Copy once more within that time; returns what went wrong."""
        if not self._adopted and not (self.folder_path / self._name).exists():
            return ""  # there was no vote
        try:
            failed = self.trigger().exception(within_s)
        except TimeoutError:
            return f"the Hub did not answer within {within_s:.0f} s."
        return self.status.error if failed else ""

    def release(self) -> None:
        """Leave the files of dead processes to others."""
        for owner in self._adopted.values():
            owner.release()

    def _files(self) -> list[str]:
        """Names of the files that are this process's to copy, once they exist."""
        for path in places.own_files(self.folder_path):
            if path.name != self._name and path not in self._adopted:
                self._adopt(path)
        return [path.name for path in (self.folder_path / self._name, *self._adopted) if path.exists()]

    def _adopt(self, path: Path) -> None:
        """Take over a file whose process has died; leave it alone when that lives or another has taken it over."""
        owner = _owner_of(path)
        try:
            owner.acquire(blocking=False)
            for notice in file.mend(path):
                log.warning("%s", notice)
        except Timeout:
            return
        except (VoteError, OSError) as error:
            owner.release()
            log.warning("%s is not copied: %s", path, error)
            return
        self._adopted[path] = owner

    def _look_again(self) -> None:
        """The scheduler knows a changed file by its time, which two votes may share: a tick lasts milliseconds."""
        path = self.folder_path / self._name
        size = path.stat().st_size if path.exists() else -1
        if size != self._size:
            self.last_uploaded.pop(path, None)
        self._size = size


def _answered(error: Exception) -> int | None:
    """The status that the Hub answered with, where it did; an upload's error is wrapped once."""
    answered = next((each for each in (error, error.__cause__) if isinstance(each, HfHubHTTPError)), None)
    return answered.response.status_code if answered else None


def _state(error: Exception) -> State:
    """Only the Hub's own no is a rejection; what could not be asked is not one."""
    status = _answered(error)
    return "rejected" if status and 400 <= status < 500 and status not in _TRANSIENT else "unchecked"


def _words(error: Exception) -> str:
    status = _answered(error)
    if status is None:
        return f"the Hub could not be reached ({type(error).__name__})."
    if _state(error) == "rejected":
        return f"the Hub refused ({status}). May the token write to this dataset?"
    return f"the Hub could not take them now ({status})."
