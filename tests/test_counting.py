"""Standings on the page and the command line: which votes are counted, how fresh, and what can be taken away."""

from __future__ import annotations

import csv
import io
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from playground import catalog, cli, library, settings, standings, votes
from playground.counting import choices, exports, gathering, ledger, sizes
from playground.counting.ledger import Ledger
from playground.errors import UsageError, VoteError
from playground.standings import Filter, ballots, table, tally
from tests import stored

FILE = Path("votes.csv")
GOLDEN_2 = Path(__file__).parent / "golden" / "votes-2.csv"
MODELS = """
[[model]]
key = "small"
title = "Small"
engine = "replay"
source = "none.json"
parameters_b = 0.5
[[model]]
key = "large"
title = "Large"
engine = "replay"
source = "none.json"
parameters_b = 70
"""


def store(count: int = 200, path: Path = FILE) -> list[dict[str, object]]:
    """A file of votes between two models that are in a models file, and one that is not."""
    prompts = [prompt.id for prompt in library.load(settings.Settings().prompts)[:40]]
    rows = stored.simulated({"small": 0, "large": 200, "stranger": 100}, count, ["typed", *prompts])
    stored.write(path, rows)
    return rows


def told(capsys: pytest.CaptureFixture[str], *flags: str) -> dict[str, object]:
    assert cli.main(["standings", "--votes", str(FILE), "--json", *flags]) == 0
    return dict(json.loads(capsys.readouterr().out))


# -- filters of the command --


def test_the_subject_is_that_of_the_librarys_prompt(capsys: pytest.CaptureFixture[str]):
    rows = store()
    subjects = choices.subjects(library.load(settings.Settings().prompts))
    expected = sum(subjects.get(str(one["prompt_id"])) == "Everyday" for one in rows)
    assert told(capsys, "--subject", "everyday")["votes"] == expected > 0


def test_an_unknown_subject_is_wrong_usage_and_says_which_there_are(capsys: pytest.CaptureFixture[str]):
    store()
    assert cli.main(["standings", "--votes", str(FILE), "--subject", "Cookery"]) == 2
    assert "no subject 'Cookery'. Choose one of: Everyday," in capsys.readouterr().err


def test_the_language_is_the_prompts_script(capsys: pytest.CaptureFixture[str]):
    rows = store()
    for flag, script in (("latin", "latin"), ("Cyrillic", "cyrillic"), ("unknown", "")):
        assert told(capsys, "--language", flag)["votes"] == sum(one["script"] == script for one in rows) > 0
    assert told(capsys, "--language", "greek")["votes"] == 0


def test_the_size_is_that_of_both_models(capsys: pytest.CaptureFixture[str]):
    rows = store()
    extra = [
        stored.vote(900 + n, *pair, "tie") for n, pair in enumerate([("smollm2-135m", "small"), ("large", "other")])
    ]
    stored.write(FILE, [*rows, *extra])
    Path("models.toml").write_text(MODELS)
    both_small = told(capsys, "--size", "under-1b", "--models", "models.toml")
    assert [one["model"] for one in both_small["models"]] == ["small", "smollm2-135m"]  # type: ignore[index,attr-defined]
    assert told(capsys, "--size", "10b-to-100b", "--models", "models.toml")["votes"] == 0
    unknown = told(capsys, "--size", "unknown")
    assert unknown["votes"] > 1  # type: ignore[operator]  # without the models file nobody knows their sizes


@pytest.mark.parametrize(
    ("parameters_b", "expected"),
    [(0.135, "under-1b"), (1, "1b-to-10b"), (9.9, "1b-to-10b"), (10, "10b-to-100b"), (122, "100b-and-more"),
     (None, "unknown")],
)  # fmt: skip
def test_size_classes(parameters_b: float | None, expected: str):
    assert sizes.size(parameters_b) == expected


def test_the_size_nobody_knows_has_one_name():
    assert sizes.UNKNOWN == ballots.UNKNOWN
    assert choices.classes(catalog.load())["smollm2-135m"] == "under-1b"
    assert set(sizes.NAMES) == set(sizes.CLASSES)


# -- exports --


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_csv_holds_what_the_json_holds():
    store(300)
    found = standings.count(votes.batches([FILE], standings.COLUMNS))
    plain = table.plain(found)
    rows = rows_of(exports.tables(found)["standings.csv"])
    for row, one in zip(rows, plain["models"], strict=True):
        assert (row["model"], int(row["wins"]), int(row["both_bad"])) == (one["model"], one["wins"], one["both_bad"])
        assert float(row["share_low"]) == pytest.approx(one["share"]["low"], rel=1e-5)
        assert float(row["level_share"]) == pytest.approx(one["level_share"]["value"], rel=1e-5)
        assert float(row["rating_high"]) == pytest.approx(one["rating"]["high"], rel=1e-5)
        assert float(row["ttft_s"]) == pytest.approx(one["figures"]["ttft_s"], rel=1e-5)
        assert row["preliminary"] == "false"
    pairs = [{name: str(value) for name, value in pair.items()} for pair in plain["pairs"]]
    assert rows_of(exports.tables(found)["pairs.csv"]) == pairs


def test_what_is_unknown_is_an_empty_cell_and_a_formula_is_no_formula():
    stored.write(FILE, [stored.vote(0, "=1+1", "b", "tie")])
    found = standings.count(votes.batches([FILE], standings.COLUMNS))
    first = rows_of(exports.tables(found)["standings.csv"])[0]
    assert (first["model"], first["share"], first["rating_low"], first["ttft_s"]) == ("'=1+1", "", "", "")
    assert first["preliminary"] == "true"
    nothing = exports.tables(standings.of([]))
    assert nothing == {"standings.csv": "", "pairs.csv": ""}


def test_export_writes_tables_and_charts_into_a_folder(capsys: pytest.CaptureFixture[str]):
    store(300)
    assert cli.main(["standings", "--votes", str(FILE), "--export", "out/here"]) == 0
    assert "300 votes" in capsys.readouterr().out
    assert sorted(path.name for path in Path("out/here").iterdir()) == [
        "intervals.png", "matrix.png", "memory.png", "pairs.csv", "speed.png", "standings.csv", "style.png",
    ]  # fmt: skip
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in Path("out/here").glob("*.png"))


def test_a_folder_that_cannot_be_written_is_wrong_usage(capsys: pytest.CaptureFixture[str]):
    store(40)
    Path("taken").write_text("a file")
    assert cli.main(["standings", "--votes", str(FILE), "--export", "taken"]) == 2
    assert "taken cannot be written" in capsys.readouterr().err


def test_a_file_that_these_standings_do_not_have_is_refused_in_words():
    with pytest.raises(UsageError, match=r"have no speed\.png"):
        exports.one(standings.of([]), "speed.png")
    with pytest.raises(UsageError, match="have no"):
        exports.one(standings.of([]), "../../secret")


# -- large files --


def test_several_processes_read_what_one_reads():
    rows = store(400)
    stored.write(
        Path("more.csv"), [{**one, "vote_id": f"m-{n}", "supersedes": f"v-{n}"} for n, one in enumerate(rows[:9])]
    )
    paths = [FILE, Path("more.csv"), GOLDEN_2]
    alone = gathering.gather(paths)
    together = gathering.gather(paths, small_bytes=0)
    assert len(votes.pieces(paths, FILE.stat().st_size // 2)) > 3
    assert tally.tally(together, Filter(), 20) == tally.tally(alone, Filter(), 20)
    assert tally.tally(together, Filter(), 20).superseded == 11  # two of them in the third file
    only = Filter(script="cyrillic", pacing="together", since="2026-11-05")
    assert tally.tally(together, only, 20) == tally.tally(alone, only, 20)


@pytest.mark.parametrize("voters", [1, 255, 256, 257, 700])
def test_names_are_found_again_however_many_there_are(voters: int):
    stored.write(FILE, [stored.vote(n, "small", "large", "tie", voter=f"v{n % voters}") for n in range(1000)])
    rows = list(votes.read(FILE))
    parts = [ballots.part(ballots.columns(some)) for some in (rows[:3], rows[3:])]
    joined = ballots.join(parts)
    assert [joined.voters[code] for code in joined.voter] == [row["voter"] for row in rows]


def test_what_is_wrong_with_a_row_is_told_by_whoever_reads_it():
    store(30)
    whole = FILE.read_bytes()
    FILE.write_bytes(whole + b'"torn\r\n' + whole[whole.index(b"v-0,") :])
    with pytest.raises(VoteError, match=r"a row is not whole\. Mend or remove it\."):
        gathering.gather([FILE])
    with pytest.raises(VoteError, match=r"a row is not whole\. Mend or remove it\."):
        gathering.gather([FILE], small_bytes=0)


def test_a_reader_that_dies_is_told(monkeypatch: pytest.MonkeyPatch):
    store(30)
    monkeypatch.setattr(gathering, "CHILD", "playground.nothing")
    with pytest.raises(VoteError, match=r"its reader ended with 1\. .*nothing"):
        gathering.gather([FILE], small_bytes=0)


# -- the page's ledger --


class Clock:
    """Stands still unless told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each time that files were read."""
    seen: list[int] = []
    gather = ballots.gather

    def counted(batches: object) -> ballots.Ballots:
        seen.append(1)
        return gather(batches)  # type: ignore[arg-type]

    monkeypatch.setattr(ballots, "gather", counted)
    return seen


def the_ledger(path: Path = FILE, clock: Clock | None = None, sizes_of: Mapping[str, str] | None = None) -> Ledger:
    subjects = choices.subjects(library.load(settings.Settings().prompts))
    return Ledger(path, subjects, sizes_of or {}, clock or Clock())


def test_the_page_counts_as_the_command_does(capsys: pytest.CaptureFixture[str]):
    store(300)
    Path("models.toml").write_text(MODELS)
    book = the_ledger(sizes_of=choices.classes(catalog.load(Path("models.toml"))))
    for only, flags in (
        (Filter(), ()),
        (Filter(subject="Everyday"), ("--subject", "Everyday")),
        (Filter(images=False, blind_only=True), ("--no-images", "--blind")),
        (Filter(pacing="in_turn", since="2026-11-10"), ("--pacing", "in-turn", "--since", "2026-11-10")),
        (Filter(script="cyrillic"), ("--language", "cyrillic")),
        (Filter(size="unknown"), ("--size", "unknown", "--models", "models.toml")),
    ):
        found = json.loads(json.dumps(table.plain(book.count(only).found)))
        assert found == told(capsys, *flags), flags


def test_a_file_is_read_once_until_it_changes(reads: list[int]):
    rows, clock = store(50), Clock()
    book = the_ledger(clock=clock)
    reads.clear()
    assert book.count(Filter()).found.votes == book.count(Filter()).found.votes == 50
    assert book.count(Filter(images=True)).found.votes < 50
    assert len(reads) == 1
    clock.now_s += 5
    stored.write(FILE, [*rows, stored.vote(99, "small", "large", "tie")])
    again = book.count(Filter())
    assert (again.found.votes, again.read_at_s, len(reads)) == (51, 1005.0, 2)


def test_figures_that_are_as_they_were_are_not_old():
    store(10)
    clock = Clock()
    book = the_ledger(clock=clock)
    book.count(Filter())
    clock.now_s += 60
    assert book.count(Filter()).read_at_s == 1060.0


def test_a_large_file_that_changes_all_the_time_is_not_read_all_the_time(monkeypatch: pytest.MonkeyPatch):
    rows, clock = store(20), Clock()
    gather = ballots.gather

    def slowly(batches: object) -> ballots.Ballots:
        clock.now_s += 3
        return gather(batches)  # type: ignore[arg-type]

    book = the_ledger(clock=clock)
    monkeypatch.setattr(ballots, "gather", slowly)
    assert book.count(Filter()).found.votes == 20
    stored.write(FILE, [*rows, stored.vote(99, "small", "large", "tie")])
    clock.now_s += ledger.PATIENCE * 3 - 4
    old = book.count(Filter())
    assert (old.found.votes, old.read_at_s) == (20, 1000.0)  # and the page says how old
    clock.now_s += 4
    assert book.count(Filter()).found.votes == 21


def test_a_clock_that_was_set_back_does_not_stop_reading():
    rows, clock = store(20), Clock()
    book = the_ledger(clock=clock)
    book.count(Filter())
    clock.now_s = 5.0
    stored.write(FILE, [*rows, stored.vote(99, "small", "large", "tie")])
    assert book.count(Filter()).found.votes == 21


def test_no_file_yet_is_no_vote_and_then_one():
    book = the_ledger(Path("votes/votes.csv"))
    assert book.count(Filter()).found.votes == 0
    stored.write(Path("votes/votes.csv"), [stored.vote(0, "a", "b", "tie")])
    assert book.count(Filter()).found.votes == 1


def test_a_folder_is_counted_as_its_files():
    Path("all").mkdir()
    book = the_ledger(Path("all"))
    assert book.count(Filter()).found.votes == 0
    stored.write(Path("all/one.csv"), [stored.vote(0, "a", "b", "tie")])
    stored.write(Path("all/two.csv"), [stored.vote(1, "a", "b", "tie")])
    assert book.count(Filter()).found.votes == 2


def test_another_programs_file_is_refused_and_read_when_it_is_mended():
    FILE.write_text("date,amount\n")
    book = the_ledger()
    for _ in range(2):
        with pytest.raises(VoteError, match="not a votes file"):
            book.count(Filter())
    store(10)
    assert book.count(Filter()).found.votes == 10


def test_scripts_to_choose_from_are_those_there_are():
    store(100)
    assert the_ledger().count(Filter()).scripts == ("cyrillic", "latin", "unknown")


def test_many_visitors_make_one_reading(reads: list[int]):
    store(500)
    book = the_ledger()
    reads.clear()
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(book.count(Filter()).found.votes)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [500] * 8
    assert len(reads) == 1


def test_a_change_within_one_tick_of_the_clock_is_seen_by_its_size():
    rows = store(20)
    book = the_ledger()
    book.count(Filter())
    about = FILE.stat()
    stored.write(FILE, [*rows, stored.vote(99, "small", "large", "tie")])
    os.utime(FILE, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert book.count(Filter()).found.votes == 21
