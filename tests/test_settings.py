"""Flags and environment: which one wins, and what wrong usage looks like."""

from __future__ import annotations

from pathlib import Path

import pytest

from playground import settings
from playground.budget import Limits
from playground.settings import Settings

EVERY_FLAG = {
    "left": "small",
    "right": "large",
    "models": "mine.toml",
    "threads": "3",
    "cache": "kept",
    "host": "0.0.0.0",
    "port": "8080",
    "votes": "mine.csv",
    "stall_s": "2.5",
    "sync_to": "team/votes",
    "sync_minutes": "1.5",
    "blind_models": "small, large",
    "blind_draw": "widest",
    "owner_token": "a-token-of-the-owner",
    "offer": "small, large",
    "auth_file": "users.txt",
    "budget": "requests=5,all-tokens=900",
}
SWITCHES = ("share", "blind", "hold_answers", "vote_early", "open")
EVERY_VARIABLE = {f"PLAYGROUND_{name.upper()}": value for name, value in EVERY_FLAG.items()}
TOLD = Settings(
    left="small",
    right="large",
    models=Path("mine.toml"),
    threads=3,
    cache=Path("kept"),
    host="0.0.0.0",
    port=8080,
    share=True,
    votes=Path("mine.csv"),
    stall_s=2.5,
    sync_to="team/votes",
    sync_minutes=1.5,
    blind_models=("small", "large"),
    blind_draw="widest",
    blind=True,
    hold_answers=True,
    vote_early=True,
    owner_token="a-token-of-the-owner",
    offer=("small", "large"),
    auth_file=Path("users.txt"),
    budget=Limits(requests=5, all_tokens=900),
    open=True,
)


def flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def test_nothing_told_is_the_default():
    found = settings.read([], {})
    assert found == Settings()
    assert (found.left, found.right, found.models, found.share) == ("", "", None, False)
    assert (found.host, found.port, found.votes) == ("127.0.0.1", 7860, Path("votes/votes.csv"))


def test_every_flag_is_heard():
    flags = [part for name, value in EVERY_FLAG.items() for part in (flag(name), value)]
    assert settings.read([*flags, *(flag(name) for name in SWITCHES)], {}) == TOLD


def test_every_flag_can_be_an_environment_variable():
    env = EVERY_VARIABLE | {f"PLAYGROUND_{name.upper()}": "1" for name in SWITCHES}
    found = settings.read([], env)
    assert found.environ == env
    assert [getattr(found, name) for name in [*EVERY_FLAG, *SWITCHES]] == [
        getattr(TOLD, name) for name in [*EVERY_FLAG, *SWITCHES]
    ]


def test_a_flag_wins_over_the_environment():
    assert settings.read(["--left", "flag", "--port", "1"], {"PLAYGROUND_LEFT": "env", "PLAYGROUND_PORT": "2"}) == (
        Settings(left="flag", port=1, environ={"PLAYGROUND_LEFT": "env", "PLAYGROUND_PORT": "2"})
    )


def test_an_empty_variable_is_as_if_it_were_not_set():
    env = dict.fromkeys(
        [*EVERY_VARIABLE, *(f"PLAYGROUND_{name.upper()}" for name in SWITCHES), "PLAYGROUND_LOG_TEXTS"], ""
    )
    assert settings.read([], env) == Settings(environ=env)


@pytest.mark.parametrize(("value", "share"), [("1", True), ("True", True), ("yes", True), ("0", False), ("no", False)])
def test_sharing_is_turned_on_by_words_that_mean_yes(value: str, share: bool):
    assert settings.read([], {"PLAYGROUND_SHARE": value}).share is share


@pytest.mark.parametrize(
    ("argv", "env", "kept"),
    [
        ([], {}, True),
        (["--no-log-texts"], {}, False),
        ([], {"PLAYGROUND_LOG_TEXTS": "0"}, False),
        (["--log-texts"], {"PLAYGROUND_LOG_TEXTS": "no"}, True),
    ],
)
def test_texts_are_kept_with_votes_unless_they_are_told_not_to_be(argv: list[str], env: dict[str, str], kept: bool):
    assert settings.read(argv, env).log_texts is kept


def test_on_a_space_the_page_is_reachable_from_outside_and_elsewhere_it_is_not():
    assert settings.read([], {"SPACE_ID": "me/it"}).host == "0.0.0.0"
    assert settings.read([], {}).host == "127.0.0.1"
    assert settings.read([], {"SPACE_ID": "me/it", "PLAYGROUND_HOST": "127.0.0.1"}).host == "127.0.0.1"


def test_on_a_space_votes_go_to_its_storage_where_there_is_one(tmp_path: Path):
    space = {"SPACE_ID": "me/it"}

    def votes(env: dict[str, str], storage: Path) -> Path:
        return Path(settings.page_parser(env, storage).parse_args([]).votes)

    assert votes(space, tmp_path) == tmp_path / "votes/votes.csv"
    assert votes(space, tmp_path / "none") == Path("votes/votes.csv")
    assert votes({}, tmp_path) == Path("votes/votes.csv")
    assert votes(space | {"PLAYGROUND_VOTES": "mine.csv"}, tmp_path) == Path("mine.csv")


@pytest.mark.parametrize(
    ("env", "zerogpu", "sign_in"),
    [
        ({}, False, False),
        ({"SPACE_ID": "me/it"}, False, False),
        ({"SPACE_ID": "me/it", "SPACES_ZERO_GPU": "true"}, True, False),
        ({"SPACE_ID": "me/it", "SPACES_ZERO_GPU": "false"}, False, False),
        ({"SPACES_ZERO_GPU": "true", "OAUTH_CLIENT_ID": "id"}, False, False),
        ({"SPACE_ID": "me/it", "OAUTH_CLIENT_ID": "id"}, False, True),
    ],
)
def test_what_a_space_offers_is_told_by_its_environment(env: dict[str, str], zerogpu: bool, sign_in: bool):
    told = settings.read([], env)
    assert (told.zerogpu, told.sign_in) == (zerogpu, sign_in)


def test_the_environment_of_the_process_is_read_when_none_is_given(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PLAYGROUND_LEFT", "small")
    assert settings.read([]).left == "small"
    assert settings.environment()["PLAYGROUND_LEFT"] == "small"


@pytest.mark.parametrize(
    ("argv", "env", "named"),
    [
        (["--port", "http"], {}, "--port"),
        (["--colour"], {}, "--colour"),
        (["--stall-s", "0"], {}, "--stall-s"),
        ([], {"PLAYGROUND_STALL_S": "soon"}, "--stall-s"),
        (["--blind-draw", "best"], {}, "'best' is not one of uniform, widest"),
        ([], {"PLAYGROUND_BLIND_DRAW": "best"}, "--blind-draw"),
        ([], {"PLAYGROUND_PORT": "http"}, "PLAYGROUND_PORT: 'http' is not a port, a whole number from 1 to 65535"),
        ([], {"PLAYGROUND_THREADS": "2.5"}, "PLAYGROUND_THREADS: '2.5' is not a whole number from 1 on"),
        (["--threads", "0"], {}, "argument --threads: '0' is not a whole number from 1 on"),
        (["--port", "70000"], {}, "argument --port: '70000' is not a port, a whole number from 1 to 65535"),
        (["--port", "-1"], {}, "argument --port: '-1' is not a port"),
        (["--budget", "plenty"], {}, "argument --budget: 'plenty' is not a limit. Write requests=100"),
        (["--owner-token", "short"], {}, "argument --owner-token: a token has at least 16 characters"),
        ([], {"PLAYGROUND_OWNER_TOKEN": "short"}, "--owner-token: a token has at least 16 characters"),
    ],
)
def test_wrong_usage_exits_with_two_and_names_what_was_wrong(
    argv: list[str], env: dict[str, str], named: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as caught:
        settings.read(argv, env)
    assert caught.value.code == 2
    assert named in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(flag(name) for name in [*EVERY_FLAG, *SWITCHES, "no_log_texts"]))
def test_help_lists_every_flag(name: str):
    text = settings.page_parser({}).format_help()
    assert name in text
    assert "PLAYGROUND_LEFT" in text


def test_a_secret_is_looked_up_by_its_name_and_never_shown():
    told = Settings(environ={"BASELINE_KEY": "sesame", "EMPTY": ""})
    assert told.secret("BASELINE_KEY") == "sesame"
    assert told.secret("EMPTY") is None
    assert told.secret("OTHER") is None
    assert "sesame" not in repr(told)


def test_the_owners_token_is_a_secret_by_flag_and_by_variable():
    for told in (
        settings.read(["--owner-token", "a-token-of-the-owner"], {}),
        settings.read([], {"PLAYGROUND_OWNER_TOKEN": "a-token-of-the-owner\n"}),
    ):
        assert told.owner_token == "a-token-of-the-owner"
        assert told.secrets == ("a-token-of-the-owner",)
        assert "a-token-of-the-owner" not in repr(told)
