"""Votes reach a dataset of the Hub, none is lost on the way, and the Hub's troubles never harm one."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from playground import parts, settings, votes
from playground.errors import UsageError, VoteError
from playground.votes import VoteBook, places
from playground.votes.sync import Sync, check
from tests.hub import REPO, TOKEN, Hub, hub
from tests.patience import LIMIT_S
from tests.voting import ROOT, SPECS, cast

OFTEN = 0.05 / 60
NEVER = 60.0
FOLDER = Path("votes")


@pytest.fixture
def server() -> Iterator[Hub]:
    with hub() as running:
        yield running


@contextmanager
def running(
    server: Hub, folder: Path = FOLDER, minutes: float = NEVER, token: str = TOKEN
) -> Iterator[tuple[Sync, VoteBook]]:
    """One process's sync and its book; the first copy, before any vote, is over."""
    path = votes.place(folder, own=True)
    sync = Sync(REPO, token, path, minutes, server.url)
    try:
        yield sync, VoteBook(path, gate=sync.gate)
    finally:
        sync.close(LIMIT_S)


def vote(book: VoteBook, *names: str) -> None:
    for name in names:
        book.append(cast(name), SPECS)


def arrived(server: Hub) -> list[str]:
    """Comparisons whose votes are at the Hub, file by file."""
    texts = [content.decode() for _, content in sorted(server.files.items())]
    return [row["battle_id"] for text in texts for row in csv.DictReader(io.StringIO(text, newline=""))]


def pushed(sync: Sync) -> None:
    """One more copy, to its end, whatever that is."""
    sync.push().exception(LIMIT_S)


# -- what arrives --


def test_votes_before_during_and_after_a_copy_all_arrive(server: Hub):
    with running(server) as (sync, book):
        pushed(sync)
        vote(book, "before")
        server.go_on.clear()
        server.arrived.clear()
        under_way = sync.push()
        assert server.arrived.wait(LIMIT_S)
        vote(book, "during")
        server.go_on.set()
        assert under_way.exception(LIMIT_S) is None
        assert arrived(server) == ["before"]
        pushed(sync)
        assert arrived(server) == ["before", "during"]
        vote(book, "after")
        pushed(sync)
        assert arrived(server) == ["before", "during", "after"]
        assert sync.status.state == "ok"
        assert sync.status.pushed_at
    (content,) = server.files.values()
    assert content == book.path.read_bytes()


def test_copies_are_made_by_themselves_every_few_minutes(server: Hub):
    with running(server, minutes=OFTEN) as (_, book):
        for number in range(3):
            server.arrived.clear()
            vote(book, f"b-{number}")
            assert server.arrived.wait(LIMIT_S)
    assert arrived(server) == ["b-0", "b-1", "b-2"]


def test_votes_of_many_threads_arrive_while_copies_are_made(server: Hub):
    with running(server, minutes=OFTEN) as (_, book):
        names = [[f"t{thread}-{number}" for number in range(20)] for thread in range(8)]
        voters = [threading.Thread(target=vote, args=(book, *each)) for each in names]
        for voter in voters:
            voter.start()
        for voter in voters:
            voter.join()
    assert sorted(arrived(server)) == sorted(name for each in names for name in each)
    for copy in server.commits:
        assert all(content.endswith(b"\r\n") for content in copy.values())


def test_two_votes_within_one_tick_of_the_file_systems_clock_both_arrive(server: Hub):
    with running(server) as (sync, book):
        vote(book, "first")
        os.utime(book.path, ns=(1, 1))
        pushed(sync)
        vote(book, "second")
        os.utime(book.path, ns=(1, 1))
        pushed(sync)
        assert arrived(server) == ["first", "second"]


def test_nobody_writes_while_the_file_is_looked_at(server: Hub):
    with running(server) as (sync, book):
        voter = threading.Thread(target=vote, args=(book, "b-1"))
        with sync.gate:
            voter.start()
            voter.join(0.3)
            assert voter.is_alive()
            assert not book.path.exists()
        voter.join(LIMIT_S)
    assert arrived(server) == ["b-1"]


def test_large_files_go_by_git_lfs(server: Hub):
    server.lfs_from = 1
    with running(server) as (sync, book):
        vote(book, "b-1")
        pushed(sync)
        vote(book, "b-2")
    assert arrived(server) == ["b-1", "b-2"]
    assert len(server.blobs) == 2


def test_the_dataset_is_made_private_and_only_once_asked_for(server: Hub):
    with running(server) as (sync, book):
        pushed(sync)
        vote(book, "b-1")
        pushed(sync)
    assert [(wish["visibility"], wish["type"], wish["name"]) for wish in server.created] == [
        ("private", "dataset", "votes")
    ]


def test_nothing_is_uploaded_while_nobody_votes(server: Hub):
    with running(server) as (sync, book):
        pushed(sync)
        assert (server.commits, sync.status.state, sync.status.pushed_at) == ([], "ok", None)
        vote(book, "b-1")
        pushed(sync)
        pushed(sync)
    assert len(server.commits) == 1


def test_only_files_with_a_name_of_their_own_are_copied(server: Hub):
    FOLDER.mkdir()
    vote(VoteBook(FOLDER / "votes.csv"), "of an earlier time")
    (FOLDER / "notes.csv").write_text("mine")
    with running(server) as (_, book):
        vote(book, "b-1")
    assert list(server.files) == [book.path.name]


# -- several processes --


def test_two_processes_never_overwrite_each_others_file(server: Hub):
    with running(server) as (one, book), running(server) as (two, other):
        vote(book, "one-1")
        pushed(one)
        vote(other, "two-1")
        pushed(two)
        vote(book, "one-2")
        pushed(two)
        assert sorted(arrived(server)) == ["one-1", "two-1"], "a process copied a file of one that lives"
        pushed(one)
    assert sorted(arrived(server)) == ["one-1", "one-2", "two-1"]
    assert [list(copy) for copy in server.commits] == [[book.path.name], [other.path.name], [book.path.name]]


KILLED = """
import os, signal, sys
from pathlib import Path
from playground import votes
from playground.votes import VoteBook
from playground.votes.sync import Sync
from tests.voting import SPECS, cast
path = votes.place(Path(sys.argv[1]), own=True)
sync = Sync(sys.argv[2], sys.argv[3], path, 60, sys.argv[4])
sync.push().exception(30)
book = VoteBook(path, gate=sync.gate)
for name in ("one", "two"):
    book.append(cast(name), SPECS)
os.kill(os.getpid(), signal.SIGKILL)
"""


LIVING = """
import sys
from pathlib import Path
from playground import votes
from playground.votes import VoteBook
from playground.votes.sync import Sync
from tests.voting import SPECS, cast
path = votes.place(Path(sys.argv[1]), own=True)
sync = Sync(sys.argv[2], sys.argv[3], path, 60, sys.argv[4])
book = VoteBook(path, gate=sync.gate)
book.append(cast("theirs-1"), SPECS)
sync.push().exception(30)
print(path.name, flush=True)
sys.stdin.readline()
book.append(cast("theirs-2"), SPECS)
sys.exit(not sync.close(30))
"""


def test_a_process_that_lives_copies_its_own_file_and_nobody_else_does(server: Hub):
    command = [sys.executable, "-c", LIVING, str(FOLDER.resolve()), REPO, TOKEN, server.url]
    with (
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
        running(server) as (sync, book),
    ):
        assert process.stdout
        theirs = process.stdout.readline().strip()
        vote(book, "ours-1")
        pushed(sync)
        assert sorted(arrived(server)) == ["ours-1", "theirs-1"]
        assert [list(copy) for copy in server.commits] == [[theirs], [book.path.name]]
        process.communicate("end\n", timeout=LIMIT_S)
        assert process.returncode == 0
        vote(book, "ours-2")
    assert sorted(arrived(server)) == ["ours-1", "ours-2", "theirs-1", "theirs-2"]


def test_a_kill_loses_nothing_and_the_next_start_copies_what_was_left(server: Hub):
    command = [sys.executable, "-c", KILLED, str(FOLDER.resolve()), REPO, TOKEN, server.url]
    died = subprocess.run(command, cwd=ROOT, timeout=LIMIT_S, check=False, capture_output=True, text=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert server.files == {}
    assert [row["battle_id"] for row in votes.read_all([FOLDER])] == ["one", "two"]
    with running(server) as (sync, book):
        pushed(sync)
        assert arrived(server) == ["one", "two"]
        vote(book, "three")
    assert sorted(arrived(server)) == ["one", "three", "two"]
    assert len(server.files) == 2


def test_a_torn_row_of_a_killed_process_is_healed_before_it_is_copied(server: Hub):
    left = votes.place(FOLDER, own=True)
    vote(VoteBook(left), "whole")
    with left.open("ab") as file:
        file.write(b"torn,row")
    with running(server) as (sync, _):
        pushed(sync)
    assert arrived(server) == ["whole"]
    assert left.read_bytes().endswith(b"\r\n")


def test_another_programs_file_under_such_a_name_is_left_alone(server: Hub, caplog: pytest.LogCaptureFixture):
    foreign = votes.place(FOLDER, own=True)
    FOLDER.mkdir()
    foreign.write_bytes(b"a,b\r\n1,2\r\n")
    with running(server) as (_, book):
        vote(book, "b-1")
    assert list(server.files) == [book.path.name]
    assert foreign.read_bytes() == b"a,b\r\n1,2\r\n"
    assert "is not copied" in caplog.text


# -- when the Hub says no, or nothing --


def test_a_hub_that_refuses_is_shown_and_later_forgotten_and_no_vote_is_harmed(server: Hub):
    server.refuse_with = 403
    with running(server) as (sync, book):
        vote(book, "b-1")
        pushed(sync)
        assert (sync.status.state, sync.status.pushed_at) == ("rejected", None)
        assert "403" in sync.status.error
        assert TOKEN not in sync.status.error
        assert book.voted("b-1")
        server.refuse_with = 0
        vote(book, "b-2")
        pushed(sync)
        assert sync.status.state == "ok"
        assert sync.status.pushed_at > sync.status.failed_at
    assert arrived(server) == ["b-1", "b-2"]


def test_a_wrong_token_is_a_rejection(server: Hub):
    with running(server, token="hf_wrong") as (sync, book):
        vote(book, "b-1")
        pushed(sync)
        assert (sync.status.state, "401" in sync.status.error) == ("rejected", True)


def test_a_hub_in_trouble_is_not_a_rejection(server: Hub):
    server.refuse_with = 500
    with running(server) as (sync, _):
        pushed(sync)
        assert sync.status.state == "unchecked"
        assert "could not take them now (500)" in sync.status.error


def test_a_hub_that_cannot_be_reached_is_not_a_rejection_and_the_app_starts():
    with hub() as server:
        pass
    path = votes.place(FOLDER, own=True)
    sync = Sync(REPO, TOKEN, path, NEVER, server.url)
    vote(VoteBook(path, gate=sync.gate), "b-1")
    pushed(sync)
    assert sync.status.state == "unchecked"
    assert "could not be reached" in sync.status.error
    assert [row["battle_id"] for row in votes.read(path)] == ["b-1"]
    sync.close(0.5)


def test_a_hub_that_never_answers_holds_neither_votes_nor_the_end(server: Hub, caplog: pytest.LogCaptureFixture):
    path = votes.place(FOLDER, own=True)
    sync = Sync(REPO, TOKEN, path, NEVER, server.url)
    book = VoteBook(path, gate=sync.gate)
    pushed(sync)
    server.go_on.clear()
    vote(book, "b-1")
    sync.push()
    assert server.arrived.wait(LIMIT_S)
    vote(book, "b-2")
    assert not sync.close(0.2)
    assert "NOT copied" in caplog.text
    assert str(path) in caplog.text
    assert [row["battle_id"] for row in votes.read(path)] == ["b-1", "b-2"]


def test_the_last_copy_has_every_vote_that_was_acknowledged(server: Hub):
    with running(server) as (sync, book):
        vote(book, "b-1")
        book.close()
        with pytest.raises(VoteError, match="NOT stored"):
            vote(book, "b-2")
    assert arrived(server) == ["b-1"]
    assert sync.status.state == "ok"


# -- what is refused at the start --


@pytest.mark.parametrize("repo", ["votes", "a/b/c", "/votes", "team/", "team/vo tes", "https://hub/team/votes", "../x"])
def test_a_name_that_is_no_dataset_is_a_sentence(repo: str):
    with pytest.raises(UsageError, match="OWNER/DATASET"):
        check(repo, TOKEN)


@pytest.mark.parametrize("token", [None, ""])
def test_a_missing_token_is_a_sentence(token: str | None):
    with pytest.raises(UsageError, match="export HF_TOKEN"):
        check(REPO, token)


def test_a_folder_that_cannot_be_is_a_sentence():
    FOLDER.write_text("mine")
    with pytest.raises(UsageError, match="Choose another folder with --votes"):
        Sync(REPO, TOKEN, FOLDER / "votes-1.csv")


@pytest.mark.parametrize(
    ("flags", "env", "words"),
    [
        (["--sync-to", "votes"], {"HF_TOKEN": TOKEN}, "OWNER/DATASET, not 'votes'"),
        (["--sync-to", REPO], {"HF_TOKEN": ""}, "export HF_TOKEN"),
        ([], {"PLAYGROUND_SYNC_TO": "votes", "HF_TOKEN": TOKEN}, "OWNER/DATASET, not 'votes'"),
    ],
)
def test_the_app_does_not_start_with_what_cannot_be(flags: list[str], env: dict[str, str], words: str):
    command = [sys.executable, str(ROOT / "app.py"), *flags]
    ended = subprocess.run(
        command, env={**os.environ, **env}, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert (ended.returncode, ended.stderr.count("\n"), words in ended.stderr) == (2, 1, True), ended.stderr


# -- where votes are written --


def test_a_file_is_that_file_unless_runs_need_their_own():
    told = Path("mine/kept.csv")
    assert votes.place(told) == told
    own = votes.place(told, own=True)
    assert (own.parent, own.suffix) == (Path("mine"), ".csv")
    assert own != votes.place(told, own=True)


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_gets_a_new_file_for_every_run(there: bool):
    if there:
        FOLDER.mkdir()
    assert votes.place(FOLDER).parent == FOLDER
    vote(VoteBook(votes.place(FOLDER)), "one")
    vote(VoteBook(votes.place(FOLDER)), "two")
    assert sorted(row["battle_id"] for row in votes.read_all([votes.readable(FOLDER)])) == ["one", "two"]


@pytest.mark.parametrize(
    ("env", "own"), [({}, False), ({"SPACE_ID": "team/space"}, True), ({"PLAYGROUND_VOTES": "votes"}, True)]
)
def test_on_a_space_and_in_a_folder_every_run_has_its_own_file(env: dict[str, str], own: bool):
    house = parts.assemble(settings.read([], env))
    try:
        assert house.sync is None
        assert (house.book.path == FOLDER / "votes.csv", house.book.path.parent) == (not own, FOLDER)
    finally:
        house.close()


def test_readers_are_handed_the_folder_as_soon_as_runs_have_their_own_files():
    told = FOLDER / "votes.csv"
    assert votes.readable(told) == told
    vote(VoteBook(told), "one")
    assert votes.readable(told) == told
    vote(VoteBook(votes.place(told, own=True)), "two")
    assert votes.readable(told) == FOLDER


def test_names_of_files_of_one_run_are_told_from_others():
    FOLDER.mkdir()
    own = votes.place(FOLDER)
    for name in (own.name, "votes.csv", "votes-2026.csv", f"{own.name}.lock", f"{own.name}.bak-1"):
        (FOLDER / name).touch()
    assert places.own_files(FOLDER) == [own]


def test_sync_is_off_unless_it_is_asked_for():
    assert settings.read([], {}).sync_to == ""
    assert settings.read(["--sync-to", REPO], {}).sync_to == REPO
    assert settings.read([], {"PLAYGROUND_SYNC_TO": REPO}).sync_to == REPO
