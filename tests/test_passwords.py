"""Names and passwords: hashed in a file that a command writes, and checked before the page is shown."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import httpx
import pytest

from playground import cli, passwords
from playground.errors import UsageError
from tests import site
from tests.events import Caller
from tests.patience import LIMIT_S

WORD = "correct horse ü"


def command(path: Path, name: str, word: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{word}\n"))
    return cli.main(["password", name, "--auth-file", str(path)])


def signs_in(path: Path, name: str, word: str) -> bool:
    return bool(asyncio.run(passwords.checker(path)(name, word)))


def test_the_command_writes_a_hash_that_only_this_account_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "users.txt"
    assert command(path, "ada", WORD, monkeypatch) == 0
    assert command(path, "bob", "another word", monkeypatch) == 0
    assert path.stat().st_mode & 0o777 == 0o600
    assert WORD not in path.read_text(encoding="utf-8")
    assert list(passwords.read(path)) == ["ada", "bob"]
    assert signs_in(path, "ada", WORD)
    for name, word in (("ada", "another word"), ("ada", ""), ("bob", WORD), ("eve", WORD), ("", "")):
        assert not signs_in(path, name, word)


def test_a_new_password_takes_the_place_of_the_old_one_and_two_alike_have_two_hashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "users.txt"
    for name, word in (("ada", WORD), ("bob", WORD), ("ada", "a newer word")):
        assert command(path, name, word, monkeypatch) == 0
    assert (signs_in(path, "ada", WORD), signs_in(path, "ada", "a newer word")) == (False, True)
    assert signs_in(path, "bob", WORD)
    assert passwords.hashed(WORD) != passwords.hashed(WORD)


@pytest.mark.parametrize(("name", "word"), [("ada", "short"), ("a:b", WORD), (" ", WORD), ("a\nb", WORD), ("ada", "")])
def test_what_cannot_be_a_name_or_a_password_is_refused_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, word: str
):
    assert command(tmp_path / "users.txt", name, word, monkeypatch) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    ["", "# nobody\n", "ada:secret", "ada:scrypt:32768:8:3:c2FsdA==:", "ada:scrypt:9:8:3:c2FsdA==:aGFzaA==",
     "ada:scrypt:1073741824:8:3:c2FsdA==:aGFzaA==", "ada:scrypt:32768:8:3:%:aGFzaA=="],
)  # fmt: skip
def test_a_file_that_is_wrong_is_told_with_the_command_that_writes_it(tmp_path: Path, text: str):
    path = tmp_path / "users.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="python -m playground password NAME --auth-file"):
        passwords.read(path)
    with pytest.raises(UsageError, match="cannot be read"):
        passwords.read(tmp_path / "none.txt")


def test_nothing_of_the_page_is_shown_before_a_name_and_its_password(tmp_path: Path):
    passwords.store(tmp_path / "users.txt", "ada", WORD)
    said = [{"match": "", "events": site.words("Four.")}]
    rows = site.model(tmp_path, "one", said) + site.model(tmp_path, "two", said)
    flags = ("--left", "one", "--right", "two", "--auth-file", str(tmp_path / "users.txt"))
    with (
        site.app(tmp_path, rows, *flags) as url,
        httpx.Client(base_url=url, timeout=LIMIT_S, trust_env=False) as client,
    ):
        assert "components" not in client.get("config").json()
        assert client.get("gradio_api/info").status_code == 401
        assert client.post("gradio_api/queue/join", json={"data": [], "fn_index": 0, "session_hash": "s"}).is_error
        assert client.post("login", data={"username": "ada", "password": "wrong"}).status_code == 400
        assert client.post("login", data={"username": "ada", "password": WORD}).status_code == 200
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in client.cookies.jar)
        outcome = Caller(url, {"Cookie": cookies}).compare("What is two and two?", "one", "two")
        assert outcome["output"]["data"][0]["left"]["text"].strip() == "Four."
        assert WORD not in (tmp_path / "app.log").read_text(encoding="utf-8")
