"""Knows who may vote on what, and keeps the votes file for any number of threads and processes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from playground.errors import VoteError
from playground.types import ModelSpec, Side, Vote
from playground.votes import cells, file, guards, rows
from playground.votes.guards import Check, Limits, Past
from playground.votes.schema import COLUMNS, fingerprint

log = logging.getLogger(__name__)

LOCK_WAIT_S = 10.0
_POLL_S = 0.005
"""A vote is written in about a millisecond; filelock's own 50 ms would make processes wait for each other's naps."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a vote that is on disk: why it does not count, if it does not, and what each check found."""

    not_counted_reason: str = ""
    checks: tuple[Check, ...] = ()


class VoteBook:
    """One votes file. Any number of threads and processes may append to the same one.

    With `log_texts` off, prompts, answers and words of the voter stay out of the file; their hashes and lengths go in.
    `notices` says what was mended in the file, in words for the person who runs the app. `gate` is entered around
    every write: whoever copies the file elsewhere holds it while they look at it.
    """

    def __init__(
        self,
        path: Path,
        *,
        log_texts: bool = True,
        limits: Limits = Limits(),  # noqa: B008 - frozen, so one default may be shared
        clock: Callable[[], float] = time.monotonic,
        gate: AbstractContextManager[object] | None = None,
    ) -> None:
        self.path, self.log_texts, self.limits = path, log_texts, limits
        self.notices: list[str] = []
        self._gate, self._closed = gate or nullcontext(), False
        self._clock = clock
        self._lock = threading.Lock()
        self._last: dict[str, str] = {}
        self._taken_back: set[str] = set()
        self._memory = guards.Memory()

    def mend(self) -> list[str]:
        """At the start of a program: heal a torn last row, migrate an older file; returns `notices`. Raises VoteError
        for another program's file, which is not touched, and when the file cannot be written."""
        if self.path.exists():
            with self._lock, self._held("The votes file was NOT mended"):
                self.notices += file.mend(self.path)
        return self.notices

    def mend_beside(self) -> threading.Thread:
        """`mend` in a thread, since to migrate a long file takes a while (votes wait for it); tells what was done, or
        that the file cannot be mended, in the log: not only the first voter shall know."""
        thread = threading.Thread(target=self._mend_and_tell, name="mend", daemon=True)
        thread.start()
        return thread

    def _mend_and_tell(self) -> None:
        try:
            notices = self.mend()
        except VoteError as error:
            notices = [str(error)]
        for notice in notices:
            log.warning("%s", notice)

    def append(self, vote: Vote, specs: Mapping[Side, ModelSpec], doubt: str = "") -> Receipt:
        """Store the vote; when this returns, it is on disk. Raises VoteError, and then nothing was stored.

        A comparison lives in one process, so that process alone decides that it is voted on once. `doubt` is a
        reason of the caller's not to count it. A vote that corrects another names it in `supersedes`.
        """
        with self._lock:
            self._refuse_second(vote)
            receipt = self._store(vote, specs, doubt)
            self._last[vote.comparison.battle_id] = vote.vote_id
            self._taken_back.discard(vote.comparison.battle_id)
        return receipt

    def take_back(self, vote: Vote, specs: Mapping[Side, ModelSpec]) -> Vote:
        """Undo that vote by a row that supersedes it, and return the row's vote. The comparison can be voted on again.
        Raises VoteError, and then nothing has changed."""
        undo, battle_id = rows.taking_back(vote), vote.comparison.battle_id
        with self._lock:
            if battle_id in self._taken_back:
                raise VoteError("This vote was taken back already. Vote again if you like.")
            self._refuse_second(undo)
            self._store(undo, specs, "taken back")
            self._last[battle_id] = undo.vote_id
            self._taken_back.add(battle_id)
        return undo

    def close(self) -> None:
        """Take no vote any more, so that what is copied elsewhere at the end is all there will be."""
        with self._lock:
            self._closed = True

    def voted(self, battle_id: str) -> bool:
        """This comparison has its vote, and it was not taken back."""
        return battle_id in self._last and battle_id not in self._taken_back

    def _refuse_second(self, vote: Vote) -> None:
        battle_id = vote.comparison.battle_id
        last = self._last.get(battle_id, "")
        if vote.supersedes and vote.supersedes != last:
            raise VoteError("The vote to correct is not this comparison's last one. Ask something new to vote again.")
        if self.voted(battle_id) and not vote.supersedes:
            raise VoteError("This comparison has its vote already. Ask something new to vote again.")

    def _store(self, vote: Vote, specs: Mapping[Side, ModelSpec], doubt: str) -> Receipt:
        if self._closed:
            raise VoteError("The app is being ended, so your vote was NOT stored. Vote again when it is back.")
        now_s, prompt = self._clock(), fingerprint(vote.prompt)
        past = list(self._memory.of(vote.voter, now_s))
        past = past[:-1] if vote.supersedes else past  # a correction is not one vote more
        checks = (
            guards.rate(vote.voter, past, now_s, self.limits),
            guards.haste(vote.comparison, vote.decision_s, self.limits),
            guards.repeats(vote.voter, prompt, past, now_s, self.limits),
        )
        row = rows.row(vote, specs, checks=checks, doubt=doubt, log_texts=self.log_texts)
        line = cells.line(row.get(name) for name in COLUMNS)
        with self._held("Your vote was NOT stored"):
            self.notices += file.append(self.path, line)
        if not vote.supersedes:
            self._memory.add(vote.voter, Past(now_s, prompt))
        return Receipt(str(row["not_counted_reason"]), checks)

    @contextmanager
    def _held(self, unless: str) -> Iterator[None]:
        """The file's lock across processes; what goes wrong under it is told as VoteError."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._gate, FileLock(f"{self.path}.lock", timeout=LOCK_WAIT_S, poll_interval=_POLL_S):
                yield
        except Timeout as error:
            raise VoteError(
                f"Another program has held {self.path} for {LOCK_WAIT_S:.0f} s. Vote again in a moment."
            ) from error
        except OSError as error:
            raise VoteError(
                f"{unless}: {self.path} cannot be written ({error.strerror or error}). "
                "Make room or choose another file with --votes, then vote again."
            ) from error
