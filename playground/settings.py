"""Knows what the app was told by flags and environment. The only reader of the environment. Knows no model."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_cache_path

from playground.budget import DEFAULT as DEFAULT_BUDGET
from playground.budget import UNLIMITED, Limits
from playground.budget import parse as parse_budget
from playground.errors import UsageError

APP_NAME = "side-by-side-playground"
ROOT = Path(__file__).resolve().parent.parent
DRAWS = ("uniform", "widest")
_SECRET = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD)\d*$", re.IGNORECASE)
SHORTEST_TOKEN = 16
STORAGE = Path("/data")
"""Where a Space has its persistent storage, if it has any: https://huggingface.co/docs/hub/spaces-storage"""


@dataclass(frozen=True, slots=True)
class Settings:
    """What one run of the app was told. `left` and `right` are keys of models, empty for "choose for me": by `pair`,
    the name of a pair, or by what is here ("" or "auto").

    `blind` makes every comparison blind. `blind_models` are the keys that pairs are drawn from, none for "what is
    here"; `blind_draw` is one of `DRAWS`. `hold_answers` and `vote_early` are what the page's switches begin with.
    `load_anyway` starts local models also where memory does not suffice. `threads` are those of each local model, None
    for what the machine has; where a `page` is served, that leaves a CPU to it.

    `owner_token` makes its bearer the owner, "" for one that is made up where one is needed. `open` makes everybody the
    owner. `offer` are the keys of models that visitors may ask beside the pair. `auth_file` holds the
    names and hashed passwords of those who may see the page, None where all may. `budget` is what visitors may spend in
    a day.
    """

    left: str = ""
    right: str = ""
    pair: str = ""
    models: Path | None = None
    host: str = "127.0.0.1"
    port: int = 7860
    share: bool = False
    votes: Path = Path("votes/votes.csv")
    prompts: Path = ROOT / "prompts"
    cache: Path = field(default_factory=lambda: user_cache_path(APP_NAME))
    threads: int | None = None
    stall_s: float = 300.0
    load_anyway: bool = False
    sync_to: str = ""
    sync_minutes: float = 5.0
    blind: bool = False
    blind_models: tuple[str, ...] = ()
    blind_draw: str = "uniform"
    hold_answers: bool = False
    vote_early: bool = False
    log_texts: bool = True
    owner_token: str = field(default="", repr=False)
    open: bool = False
    offer: tuple[str, ...] = ()
    auth_file: Path | None = None
    budget: Limits = field(default_factory=lambda: parse_budget(DEFAULT_BUDGET))
    page: bool = True
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def on_space(self) -> bool:
        """The app runs as a Hugging Face Space."""
        return bool(self.environ.get("SPACE_ID"))

    @property
    def zerogpu(self) -> bool:
        """A Space whose GPU is lent by the call, to functions of this process only."""
        return self.on_space and self.environ.get("SPACES_ZERO_GPU", "").lower() in {"1", "t", "true"}

    @property
    def sign_in(self) -> bool:
        """A Space on which visitors can sign in (`hf_oauth` in its README). Elsewhere nobody can."""
        return self.on_space and bool(self.environ.get("OAUTH_CLIENT_ID"))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values of all variables that hold a key, by their names, and the owner's token: what no log may show."""
        named = [value.strip() for name, value in self.environ.items() if _SECRET.search(name)]
        return tuple(dict.fromkeys(filter(None, (*named, self.owner_token))))

    def secret(self, name: str) -> str | None:
        """The value of an environment variable that holds a key, or None when it is unset or empty.

        Blank space around it, such as the end of a line, is no part of a key."""
        return self.environ.get(name, "").strip() or None


def add_shared_flags(parser: argparse.ArgumentParser, env: Mapping[str, str]) -> None:
    """Flags that every front end has; each one's default comes from PLAYGROUND_<NAME>."""
    parser.add_argument(
        "--models", type=Path, default=_path(env, "MODELS"), metavar="FILE", help="more models, as TOML"
    )
    parser.add_argument(
        "--threads",
        type=_count,
        default=_read(env, "THREADS", _count),
        metavar="N",
        help="CPU threads of each local model (default: by the CPUs there are; a page leaves itself one)",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=_path(env, "CACHE") or user_cache_path(APP_NAME),
        help="folder for fetched weights",
    )
    parser.add_argument(
        "--stall-s",
        type=_seconds,
        default=_env(env, "STALL_S", "300"),
        metavar="SECONDS",
        help="give an answer up after so long without a byte",
    )
    parser.add_argument(
        "--load-anyway",
        action="store_true",
        default=_is_on(env, "LOAD_ANYWAY"),
        help="start local models that do not fit in memory, too",
    )


def page_parser(env: Mapping[str, str], storage: Path = STORAGE) -> argparse.ArgumentParser:
    """The flags of `app.py`."""
    parser = argparse.ArgumentParser(
        prog="app.py",
        description="Compare two language models side by side in the browser.",
        epilog="Every flag can be given as an environment variable too: --left as PLAYGROUND_LEFT, and so on.",
    )
    parser.add_argument("--left", default=_env(env, "LEFT"), metavar="KEY", help="model on the left")
    parser.add_argument("--right", default=_env(env, "RIGHT"), metavar="KEY", help="model on the right")
    parser.add_argument("--pair", default=_env(env, "PAIR"), metavar="NAME", help="a named pair, or auto (the default)")
    add_shared_flags(parser, env)
    parser.add_argument("--host", default=_env(env, "HOST", _host(env)), help="address to listen on")
    parser.add_argument("--port", type=_port, default=_read(env, "PORT", _port, 7860), help="port to listen on")
    parser.add_argument(
        "--share", action="store_true", default=_is_on(env, "SHARE"), help="public link through gradio.live"
    )
    _add_owner_flags(parser, env)
    votes = _path(env, "VOTES") or _kept(env, storage) / "votes/votes.csv"
    parser.add_argument("--votes", type=Path, default=votes, metavar="PATH", help="where votes go (CSV), or a folder")
    _add_vote_flags(parser, env)
    _add_sync_flags(parser, env)
    return parser


def _add_owner_flags(parser: argparse.ArgumentParser, env: Mapping[str, str]) -> None:
    """Who may do what on a page that others can reach: docs/security.md."""
    add = parser.add_argument
    add(
        "--owner-token",
        type=_token,
        default=_env(env, "OWNER_TOKEN"),
        metavar="TOKEN",
        help="who opens the page with ?owner=TOKEN is its owner, nobody else is; better as PLAYGROUND_OWNER_TOKEN, "
        "since flags can be read in the list of processes (default: made up and printed where others reach the page)",
    )
    add("--open", action="store_true", default=_is_on(env, "OPEN"), help="everybody who reaches the page is its owner")
    add(
        "--offer",
        type=_keys,
        default=_env(env, "OFFER"),
        metavar="KEY,KEY,...",
        help="models that visitors may ask, beside the pair, --blind-models, recordings and what the owner loaded",
    )
    add(
        "--budget",
        type=_budget,
        default=_env(env, "BUDGET", DEFAULT_BUDGET),
        metavar="LIMIT=N,...",
        help=f"what visitors may spend in a day (of UTC): requests and tokens, of each and of all, or {UNLIMITED} "
        f"(default: {DEFAULT_BUDGET})",
    )
    add(
        "--auth-file",
        type=Path,
        default=_path(env, "AUTH_FILE"),
        metavar="FILE",
        help="ask for a name and a password that are in this file; `python -m playground password` writes it",
    )


def _add_vote_flags(parser: argparse.ArgumentParser, env: Mapping[str, str]) -> None:
    add = parser.add_argument
    add("--blind", action="store_true", default=_is_on(env, "BLIND"), help="hide which model is which until the vote")
    add(
        "--blind-models",
        type=_keys,
        default=_env(env, "BLIND_MODELS"),
        metavar="KEY,KEY,...",
        help="models that blind pairs are drawn from (default: your own rows, and what is on this machine)",
    )
    add(
        "--blind-draw",
        type=_draw,
        default=_env(env, "BLIND_DRAW", DRAWS[0]),
        metavar="|".join(DRAWS),
        help="every pair alike, or more often the pairs whose win share has the wider interval",
    )
    hold, early = _is_on(env, "HOLD_ANSWERS"), _is_on(env, "VOTE_EARLY")
    add("--hold-answers", action="store_true", default=hold, help="begin with: show both when both are done")
    add("--vote-early", action="store_true", default=early, help="begin with: vote while answers still come")
    add(
        "--log-texts",
        action=argparse.BooleanOptionalAction,
        default=_env(env, "LOG_TEXTS", "1").lower() not in {"0", "false", "no"},
        help="keep prompts, answers and words of voters with the votes; without, only their hashes and lengths",
    )


def _add_sync_flags(parser: argparse.ArgumentParser, env: Mapping[str, str]) -> None:
    parser.add_argument(
        "--sync-to",
        default=_env(env, "SYNC_TO"),
        metavar="OWNER/DATASET",
        help="copy votes to this dataset of the Hugging Face Hub, by the token in HF_TOKEN (default: nowhere)",
    )
    parser.add_argument(
        "--sync-minutes",
        type=_seconds,
        default=_env(env, "SYNC_MINUTES", "5"),
        metavar="N",
        help="time between two copies",
    )


def read(argv: Sequence[str] | None = None, env: Mapping[str, str] | None = None) -> Settings:
    """Settings of `app.py` from its flags and environment. Wrong usage exits with 2, as argparse does."""
    env = dict(os.environ) if env is None else env
    args = page_parser(env).parse_args(argv)
    return Settings(**vars(args), environ=env)


def environment() -> dict[str, str]:
    """A copy of the environment, for front ends with flags of their own."""
    return dict(os.environ)


def _env(env: Mapping[str, str], name: str, default: str = "") -> str:
    return env.get(f"PLAYGROUND_{name}") or default


def _is_on(env: Mapping[str, str], name: str) -> bool:
    return _env(env, name).lower() in {"1", "true", "yes"}


def _keys(text: str) -> tuple[str, ...]:
    """For argparse, which applies it to the variable's text too."""
    return tuple(dict.fromkeys(key.strip() for key in text.split(",") if key.strip()))


def _token(text: str) -> str:
    if text and len(text.strip()) < SHORTEST_TOKEN:
        raise argparse.ArgumentTypeError(f"a token has at least {SHORTEST_TOKEN} characters, so that nobody guesses it")
    return text.strip()


def _budget(text: str) -> Limits:
    try:
        return parse_budget(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _draw(text: str) -> str:
    if text not in DRAWS:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(DRAWS)}")
    return text


def _path(env: Mapping[str, str], name: str) -> Path | None:
    value = _env(env, name)
    return Path(value) if value else None


def _read(env: Mapping[str, str], name: str, kind: Callable[[str], int], default: int | None = None) -> int | None:
    """The variable's value; argparse would name the flag, which nobody has written, in its error."""
    value = _env(env, name)
    try:
        return kind(value) if value else default
    except argparse.ArgumentTypeError as error:
        print(f"PLAYGROUND_{name}: {error}", file=sys.stderr)
        raise SystemExit(2) from None  # as argparse does for a flag


def _count(text: str) -> int:
    count = int(text) if text.isdecimal() else 0
    if not count:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return count


def _port(text: str) -> int:
    port = int(text) if text.isdecimal() else 0
    if not 0 < port < 65_536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, a whole number from 1 to 65535")
    return port


def _seconds(text: str) -> float:
    """For argparse, which applies it to the variable's text too."""
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise ValueError
    return seconds


def _kept(env: Mapping[str, str], storage: Path) -> Path:
    """Where files outlive a restart: on a Space only in its storage, anywhere else in the folder the app began in."""
    kept = env.get("SPACE_ID") and storage.is_dir() and os.access(storage, os.W_OK)
    return storage if kept else Path()


def _host(env: Mapping[str, str]) -> str:
    """A Space is reached from outside its container; anywhere else the app stays on this machine."""
    return "0.0.0.0" if env.get("SPACE_ID") else "127.0.0.1"
