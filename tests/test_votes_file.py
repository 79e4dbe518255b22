"""Whatever happened to the votes file, every acknowledged vote is in it, and nothing else is changed unasked."""

from __future__ import annotations

import csv
import io
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground import votes
from playground.errors import VoteError
from playground.types import Sampling
from playground.votes import VoteBook, cells, columns, file, schema
from tests import voting
from tests.voting import SPECS, cast

FILE = Path("votes.csv")
GOLDEN_2 = Path(__file__).parent / "golden" / "votes-2.csv"
GOLDEN_1 = Path(__file__).parent / "golden" / "votes-1.csv"
GOLDEN_3 = Path(__file__).parent / "golden" / "votes-3.csv"
GOLDEN_4 = Path(__file__).parent / "golden" / "votes-4.csv"
BATTLES: dict[str, votes.Kind] = {"battle_id": "text"}
NASTY = 'one\r\n"two", three\n,,"\n\r␍␛\x00é漢\n'


def ids(path: Path = FILE) -> list[str]:
    return [row["battle_id"] for row in votes.read(path)]


def store(*battle_ids: str, text: str = "four", path: Path = FILE) -> VoteBook:
    book = VoteBook(path)
    for battle_id in battle_ids:
        book.append(cast(battle_id, text), SPECS)
    return book


@pytest.fixture
def without_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of files are made; whether they reach the disk is shown elsewhere."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


# -- a torn row --


def clean() -> None:
    for old in Path().glob("votes.csv*"):
        old.unlink()


def tear(whole: bytes, torn: bytes) -> None:
    """Heal a file that ends in `torn`; all must be there afterwards, and the tail beside it."""
    clean()
    FILE.write_bytes(whole + torn)
    assert list(votes.read(FILE)) is not None
    said = VoteBook(FILE).mend()
    if not torn:
        assert said == []
        return
    assert FILE.read_bytes() == whole
    assert Path("votes.csv.torn-1").read_bytes() == torn
    assert "moved to votes.csv.torn-1" in said[0]


@pytest.mark.usefixtures("without_sync")
def test_a_row_torn_at_any_byte_is_moved_aside_whole_and_the_rows_before_it_stay():
    store("b-1", text=NASTY)
    whole = FILE.read_bytes()
    store("b-2", text=NASTY * 3)
    row = FILE.read_bytes()[len(whole) :]
    for length in range(len(row)):
        tear(whole, row[:length])
    assert ids() == ["b-1"]


@pytest.mark.usefixtures("without_sync")
def test_a_header_torn_at_any_byte_is_written_anew():
    header = file.header()
    for length in range(1, len(header)):
        tear(b"", header[:length])
    store("b-1")
    assert ids() == ["b-1"]


@pytest.mark.usefixtures("without_sync")
@settings(max_examples=200)
@given(st.text(max_size=200) | st.lists(st.sampled_from("\r\n\",␍␛'a"), max_size=40).map("".join), st.data())
def test_a_tear_within_any_text_is_told_from_a_whole_row(text: str, data: st.DataObject):
    clean()
    store("b-1", text=text)
    whole = FILE.read_bytes()
    store("b-2", text=text)
    row = FILE.read_bytes()[len(whole) :]
    tear(whole, row[: data.draw(st.integers(0, len(row) - 1))])
    store("b-3")
    assert [row["answer_a"] for row in votes.read(FILE)] == [text, "four"]


def test_a_tail_longer_than_a_block_is_moved_aside():
    store("b-1")
    whole = FILE.read_bytes()
    for length in (2**16 - 2, 2**16 - 1, 2**16, 3 * 2**16 + 1):
        tear(whole, b"x" * length)


def test_a_vote_after_a_torn_one_of_another_process_heals_the_file_and_is_stored():
    book = store("b-1")
    with FILE.open("ab") as torn:
        torn.write(b'half,"of\r')
    book.append(cast("b-2"), SPECS)
    assert ids() == ["b-1", "b-2"]
    assert len(book.notices) == 1
    with FILE.open("ab") as torn:
        torn.write(b"again")
    assert "votes.csv.torn-2" in VoteBook(FILE).mend()[0]


def test_a_row_that_is_being_written_is_not_read_yet():
    store("b-1")
    with FILE.open("ab") as other:
        other.write(b'"half\n,of,a')
    assert ids() == ["b-1"]


@pytest.mark.parametrize("broken", [b"half,of,a\r\n", b'"half,of,a\r\n', b'"half" of,a\r\n'])
def test_a_row_that_is_not_whole_before_the_end_is_named(broken: bytes):
    store("b-1")
    with FILE.open("ab") as other:
        other.write(broken)
    rows = votes.read(FILE)
    assert next(rows)["battle_id"] == "b-1"
    with pytest.raises(VoteError, match=r"votes\.csv, row 3: this row is not whole"):
        next(rows)


def test_nothing_is_made_or_said_where_there_is_no_file_yet():
    assert VoteBook(FILE).mend() == []
    assert list(Path().iterdir()) == []


# -- an older file --


def test_a_file_of_schema_1_is_migrated_and_the_old_one_stays():
    shutil.copy(GOLDEN_1, FILE)
    FILE.chmod(0o640)
    before = list(votes.read(FILE))
    (said,) = VoteBook(FILE).mend()
    assert said == "votes.csv was of schema 1 and is now of schema 5. The old file is votes.csv.bak-1."
    assert list(votes.read(FILE)) == before
    assert FILE.stat().st_mode & 0o777 == 0o640
    assert Path("votes.csv.bak-1").read_bytes() == GOLDEN_1.read_bytes()
    assert sorted(path.name for path in Path().iterdir() if path.suffix != ".lock") == ["votes.csv", "votes.csv.bak-1"]
    assert VoteBook(FILE).mend() == []


def test_what_schema_1_knew_is_kept_and_what_it_did_not_know_is_empty():
    shutil.copy(GOLDEN_1, FILE)
    store("b-4")
    one, two, three, four = votes.read(FILE)
    assert (two["answer_a"], two["prompt"], two["system"]) == ('lines\r\nand, "quotes"\nand \r alone', "'=x", "=1+1")
    assert three["answer_a"] == "a ␍ sign and a ␛ one"
    assert (three["counted"], three["not_counted_reason"], three["status_a"]) == ("false", "left failed", "failed")
    assert (one["voter"], one["blind"], one["decision_s"], one["schema_version"]) == ("", "false", "", "5")
    assert (one["prompt_sha256"], one["answer_chars_a"]) == (four["prompt_sha256"], "4")
    assert tuple(one) == tuple(four) == votes.COLUMNS


def test_what_schema_2_did_not_know_is_found_in_its_texts_where_they_were_logged():
    shutil.copy(GOLDEN_2, FILE)
    (said,) = VoteBook(FILE).mend()
    assert "was of schema 2 and is now of schema 5" in said
    old = dict.fromkeys(schema.HEADERS[2], "")
    texts = {"prompt": "Что это?", "answer_a": "# Title\n- one\n- **two**", "answer_b": ""}
    logged = schema.upgrade({**old, **texts, **schema.fingerprints({**old, **texts})}, 2)
    assert (logged["script"], logged["markdown_a"], logged["markdown_b"]) == ("cyrillic", "4", "0")
    unlogged = schema.upgrade({**old, **schema.fingerprints({**old, **texts})}, 2)
    assert (unlogged["script"], unlogged["markdown_a"], unlogged["markdown_b"]) == ("", "", "0")
    assert [row["vote_id"] for row in votes.read(FILE)] == [row["vote_id"] for row in votes.read(GOLDEN_2)]


def counted(row: dict[str, str]) -> dict[str, str]:
    """The cells of an older row as they are read; who estimated its tokens counted none."""
    return {name: "" if cell == "estimate" else cells.unescape(cell) for name, cell in row.items()}


def test_what_schema_3_did_not_know_of_the_sampling_stays_unknown_and_the_rest_as_it_was():
    shutil.copy(GOLDEN_3, FILE)
    old = list(csv.DictReader(io.StringIO(GOLDEN_3.read_text(encoding="utf-8"), newline="")))
    (said,) = VoteBook(FILE).mend()
    assert "was of schema 3 and is now of schema 5" in said
    asked = {"left": Sampling(top_k=20, min_p=0.05, presence_penalty=-1.5), "right": Sampling()}
    VoteBook(FILE).append(cast("b-3", sampling=asked), SPECS)
    *kept, new = votes.read(FILE)
    for row, before in zip(kept, old, strict=True):
        assert {name: row[name] for name in before} == {
            **counted(before),
            "schema_version": "5",
        }
    names = [f"{name}_{letter}" for letter in "ab" for name in ("top_k", "min_p", "presence_penalty")]
    assert [[row[name] for name in names] for row in kept] == [[""] * 6] * 2
    assert [new[name] for name in names] == ["20", "0.05", "-1.5", "", "", ""]


def test_what_schema_4_did_not_know_of_the_machine_stays_unknown_and_the_rest_as_it_was():
    shutil.copy(GOLDEN_4, FILE)
    old = list(csv.DictReader(io.StringIO(GOLDEN_4.read_text(encoding="utf-8"), newline="")))
    (said,) = VoteBook(FILE).mend()
    assert "was of schema 4 and is now of schema 5" in said
    kept = list(votes.read(FILE))
    for row, before in zip(kept, old, strict=True):
        assert {name: row[name] for name in before} == {
            **counted(before),
            "schema_version": "5",
        }
        new = ("wait_share", "other_share", "threads", "device_peak_bytes")
        assert [row[f"{name}_{letter}"] for name in new for letter in "ab"] == [""] * 8
    assert [kept[0][name] for name in ("cold_a", "contended_b", "tokens_source_a")] == ["true", "true", "server"]
    assert [kept[0][f"output_tokens_{letter}"] for letter in "ab"] == ["26", "26"]


def test_estimates_of_older_schemas_are_no_counts_any_more_and_neither_are_their_speeds():
    counted = {"prompt_tokens": "7", "reasoning_tokens": "4", "answer_tokens": "8", "decode_tokens_per_s": "20"}
    old = dict.fromkeys(schema.HEADERS[4], "")
    for letter, source in (("a", "estimate"), ("b", "server")):
        old |= {f"{name}_{letter}": cell for name, cell in counted.items()} | {f"tokens_source_{letter}": source}
    new = schema.upgrade(old, 4)
    names = (*counted, "output_tokens", "tokens_source")
    assert [new[f"{name}_a"] for name in names] == ["7", "", "", "", "", "server"]
    assert [new[f"{name}_b"] for name in names] == ["7", "4", "8", "20", "12", "server"]
    unknown = schema.upgrade({**old, "prompt_tokens_a": ""}, 4)
    assert (unknown["tokens_source_a"], unknown["output_tokens_a"]) == ("", "")


@pytest.mark.usefixtures("without_sync")
def test_a_file_of_schema_1_torn_at_any_byte_loses_only_the_torn_row():
    whole = GOLDEN_1.read_bytes()
    start = whole.index(b"v-2,")
    stop = whole.index(b"v-3,")
    for end in range(start + 1, stop):
        clean()
        FILE.write_bytes(whole[:end])
        said = VoteBook(FILE).mend()
        is_whole = end >= stop - len(cells.ROW_END)
        assert ids() == (["b-1", "b-2"] if is_whole else ["b-1"]), whole[:end][-40:]
        assert (len(said) == 2) is not is_whole
        assert Path("votes.csv.bak-1").read_bytes() == whole[:end]


def test_a_migration_that_cannot_be_finished_leaves_the_old_file(monkeypatch: pytest.MonkeyPatch):
    shutil.copy(GOLDEN_1, FILE)

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        with pytest.raises(VoteError, match=r"NOT stored: .*No space left"):
            store("b-4")
    assert FILE.read_bytes() == GOLDEN_1.read_bytes()
    assert not Path("votes.csv.new").exists()
    store("b-4")
    assert ids() == ["b-1", "b-2", "b-3", "b-4"]


def test_a_file_that_another_program_saved_with_its_own_line_ends_is_taken_up_and_kept():
    store("b-1", text="two\nlines")
    pd.read_csv(FILE, dtype=str, keep_default_na=False).to_csv(FILE, index=False, encoding="utf-8-sig")
    assert ids() == ["b-1"]
    (said,) = VoteBook(FILE).mend()
    assert "was saved by another program" in said
    store("b-2")
    assert [row["answer_a"] for row in votes.read(FILE)] == ["two\nlines", "four"]
    assert Path("votes.csv.bak-1").exists()


def test_every_step_leads_from_one_header_to_the_next():
    assert sorted(schema.HEADERS) == list(range(1, schema.SCHEMA_VERSION + 1))
    assert sorted(schema.STEPS) == list(range(1, schema.SCHEMA_VERSION))
    for number, step in schema.STEPS.items():
        row = step(dict.fromkeys(schema.HEADERS[number], ""))
        assert set(row) == set(schema.HEADERS[number + 1])
        assert row["schema_version"] == str(number + 1)


def test_a_file_of_a_later_schema_is_refused_and_left_alone():
    FILE.write_bytes(cells.line([*votes.COLUMNS, "mood"]))
    with pytest.raises(VoteError, match="1 more column: mood"):
        VoteBook(FILE).mend()
    with pytest.raises(VoteError, match="1 more column: mood"):
        store("b-1")
    assert FILE.read_bytes() == cells.line([*votes.COLUMNS, "mood"])


# -- files that other programs have saved --


def numbers(path: Path = FILE) -> list[str]:
    """The same rows by the reader of columns, which the standings count with."""
    frames = list(columns.batches([path], {"battle_id": "text"}))
    return [battle for frame in frames for battle in frame["battle_id"]]


@pytest.mark.parametrize("end", [b"\r\n", b"\n"], ids=["as ours", "of Unix"])
@pytest.mark.parametrize("blank", [b"", b" ", b'""', b"," * (len(votes.COLUMNS) - 1), b", ,"])
def test_a_blank_row_is_no_vote(blank: bytes, end: bytes):
    store("b-1")
    store("b-2")
    header, first, second, rest = FILE.read_bytes().split(b"\r\n")
    assert rest == b""
    FILE.write_bytes(end.join([header, first, blank, second, blank, b""]))
    assert ids(FILE) == numbers() == ["b-1", "b-2"]
    assert store("b-3")
    assert ids(FILE) == ["b-1", "b-2", "b-3"]


def test_the_companion_that_macos_puts_beside_a_file_is_not_read():
    store("b-1", path=Path("space/votes.csv"))
    Path("space/._votes.csv").write_bytes(b"\x00\x05\x16\x07" * 40)
    assert ids(Path("space")) == ["b-1"]


SAVED: dict[str, tuple[Callable[[str], bytes], str]] = {
    "another order": (
        lambda text: ",".join(reversed(text.split(","))).encode(),
        "its columns are in another order: reasoning_b stands where vote_id should in schema 5",
    ),
    "index": (
        lambda text: b"," + text.encode(),
        "one more column, the index that pandas writes). Save it again with index=False, or choose",
    ),
    "index with a name": (lambda text: b"Unnamed: 0," + text.encode(), "the index that pandas writes"),
    "one more": (lambda text: f"{text},mood".encode(), "(1 more column: mood)"),
    "two more": (lambda text: f"mood,{text},".encode(), "(2 more columns: mood, a column without a name)"),
    "one less": (lambda text: text.removeprefix("vote_id,").encode(), "missing: vote_id; unknown: none"),
    "semicolons": (lambda text: text.replace(",", ";").encode(), "separated by semicolons). Save it again as CSV"),
    "tabs": (lambda text: text.replace(",", "\t").encode(), "separated by tabs"),
    "UTF-16": (lambda text: text.encode("utf-16"), "it is UTF-16"),
    "UTF-16 big": (lambda text: b"\xfe\xff" + text.encode("utf-16-be"), "it is UTF-16"),
    "workbook": (lambda text: b"PK\x03\x04" + bytes(200), "it is a workbook or an archive"),
    "CR": (lambda text: f"{text}\r1,2,3\r".encode(), "its lines end with CR alone"),
}


@pytest.mark.parametrize("name", SAVED)
def test_a_file_of_another_shape_is_left_alone_and_its_shape_is_named(name: str):
    make, said = SAVED[name]
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_bytes(made := make(",".join(votes.COLUMNS)) + b"\r\n")
    for use in (lambda: ids(FILE), numbers, lambda: store("b-1")):
        with pytest.raises(VoteError) as refused:
            use()
        assert said in str(refused.value)
    assert FILE.read_bytes() == made


# -- several files --


def test_a_folder_is_read_as_its_files_and_several_paths_one_after_another():
    store("b-1", path=Path("space/one.csv"))
    store("b-2", path=Path("space/two.csv"))
    Path("space/notes.txt").write_text("mine")
    store("b-3")
    assert ids(Path("space")) == ["b-1", "b-2"]
    found = votes.read_all([Path("space"), FILE, FILE])
    assert [row["battle_id"] for row in found] == ["b-1", "b-2", "b-3"]


def test_what_is_not_there_is_named():
    Path("empty").mkdir()
    with pytest.raises(VoteError, match=r"nothing\.csv does not exist"):
        list(votes.read_all([Path("nothing.csv")]))
    with pytest.raises(VoteError, match="empty holds no votes file"):
        list(votes.read(Path("empty")))


@given(
    st.lists(
        st.text(max_size=30)
        | st.sampled_from(["", "a,b", '"', "'", "\r\n", "é", "007", "true", "NA", "nan", "\x00", "\ufeff"]),
        min_size=1,
        max_size=5,
    )
)
def test_columns_are_read_quickly_as_they_are_read_row_by_row(texts: list[str]):
    FILE.unlink(missing_ok=True)
    for number, text in enumerate(texts):
        VoteBook(FILE).append(cast(f"b-{number}", text, prompt_id=text, voter=text), SPECS)
    names = ("voter", "winner", "counted", "prompt_id", "answer_chars_b")
    rows = list(votes.read(FILE))
    (batch,) = votes.batches([FILE], dict.fromkeys(names, "text"))
    assert {name: list(batch[name]) for name in names} == {name: [row[name] for row in rows] for name in names}
    (batch,) = votes.batches([FILE], {"answer_chars_b": "number", "voter": "text"})
    assert list(batch["answer_chars_b"]) == [float(row["answer_chars_b"]) for row in rows]
    texts_too = next(votes.batches([FILE], {"answer_a": "text"}))
    assert list(texts_too["answer_a"]) == texts


@given(
    st.lists(st.sampled_from(["", "a,b", '"', "\r\n", "é" * 50, "x" * 700]), min_size=1, max_size=8),
    st.integers(1, 4000),
)
def test_pieces_are_whole_rows_that_together_are_all_rows(texts: list[str], most_bytes: int):
    FILE.unlink(missing_ok=True)
    for number, text in enumerate(texts):
        VoteBook(FILE).append(cast(f"b-{number}", text), SPECS)
    found = votes.pieces([FILE], most_bytes)
    assert all(one.stop == other.start for one, other in itertools.pairwise(found))
    assert found[-1].stop == FILE.stat().st_size
    read = [cell for piece in found for batch in votes.batches_of(piece, BATTLES) for cell in batch["battle_id"]]
    assert read == ids()
    assert all(piece.stop - piece.start >= most_bytes for piece in found[:-1])


def test_a_file_with_a_byte_order_mark_is_cut_too():
    store("b-1", "b-2", "b-3")
    FILE.write_bytes(b"\xef\xbb\xbf" + FILE.read_bytes())
    found = votes.pieces([FILE], 100)
    assert len(found) == 3
    assert [cell for one in found for batch in votes.batches_of(one, BATTLES) for cell in batch["battle_id"]] == ids()


def test_a_file_of_another_schema_is_one_piece():
    assert [piece.quick for piece in votes.pieces([GOLDEN_1, GOLDEN_2], 100)] == [False, False]


def test_a_number_that_is_none_is_unknown_and_the_others_stay():
    for number in range(3):
        VoteBook(FILE).append(cast(f"b-{number}", "four", voter="é" if number else "anna"), SPECS)
    rows = FILE.read_bytes().split(b"\r\n")
    place = votes.COLUMNS.index("answer_chars_a")
    for row, said in ((1, b"many"), (2, b""), (3, b" 1e2")):
        cut = rows[row].split(b",")
        rows[row] = b",".join([*cut[:place], said, *cut[place + 1 :]])
    FILE.write_bytes(b"\r\n".join(rows))
    (batch,) = votes.batches([FILE], {"answer_chars_a": "number", "answer_chars_b": "number", "voter": "text"})
    assert batch["answer_chars_a"].isna().tolist() == [True, True, False]
    assert batch["answer_chars_a"][2] == 100
    assert batch["answer_chars_b"].tolist() == [4, 4, 4]
    assert batch["voter"].tolist() == ["anna", "é", "é"]


def test_columns_of_older_and_foreign_files_are_read_too():
    (batch,) = votes.batches([GOLDEN_1], {"battle_id": "text", "schema_version": "text"})
    assert batch.to_dict("list") == {"battle_id": ["b-1", "b-2", "b-3"], "schema_version": ["5", "5", "5"]}
    FILE.write_text("date,amount\n")
    with pytest.raises(VoteError, match="not a votes file"):
        list(votes.batches([FILE], BATTLES))


# -- many writers, and an end at any instant --


def test_four_processes_with_four_threads_lose_and_tear_nothing():
    found = voting.crowd(FILE, processes=4, threads=4, count=10)
    assert (found.acknowledged, found.rows, found.lost, found.twice) == (160, 160, 0, 0)


def test_a_kill_at_any_instant_loses_no_acknowledged_vote():
    found = voting.killed(FILE, rounds=4)
    assert found.acknowledged >= 4
    assert (found.lost, found.twice) == (0, 0)


def test_a_program_that_reads_votes_needs_neither_gradio_nor_numbers():
    code = (
        "import sys, playground.votes; print([n for n in ('gradio', 'numpy', 'pandas', 'evalica') if n in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=voting.ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
