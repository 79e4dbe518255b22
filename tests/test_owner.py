"""What the owner of a page may do and a visitor may not, over HTTP: by the public endpoint, and by events of hand."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import site
from tests.badserver import DONE, STOP, BadServer, event, sse, text
from tests.events import Caller
from tests.hubserver import Hub, serving
from tests.patience import LIMIT_S, eventually

TOKEN, KEY = "a-token-of-the-owner", "key-of-the-owner"
OWNER = {"X-Owner-Token": TOKEN}


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with serving(Hub({"m-Q4_K_M.gguf": b"no model" * 100})) as served:
        yield served


@pytest.fixture(scope="module")
def paid() -> Iterator[BadServer]:
    """A server that is asked with the owner's key."""
    with BadServer([sse(), ("send", event(text("Paid words")) + STOP + DONE)]) as server:
        yield server


def rows(folder: Path, paid: BadServer) -> str:
    said = [{"match": "", "events": site.words("Four.")}]
    server = f'engine = "openai"\nbase_url = "{paid.url}"\nsource = "m"\napi_key_env = "PAID_KEY"\n'
    return (
        site.model(folder, "one", said, "One")
        + site.model(folder, "two", said, "Two")
        + '[[model]]\nkey = "far"\ntitle = "Far away"\nengine = "llama.cpp"\nsource = "org/name/m-Q4_K_M.gguf"\n'
        + f'[[model]]\nkey = "paid"\ntitle = "Paid"\n{server}'
        + f'[[model]]\nkey = "offered"\ntitle = "Offered"\n{server}'
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("owner")


@pytest.fixture(scope="module")
def url(folder: Path, hub: Hub, paid: BadServer) -> Iterator[str]:
    env = {
        "HF_ENDPOINT": hub.url,
        "HF_HUB_CACHE": str(folder / "hub"),
        "HF_HUB_OFFLINE": "0",
        "PAID_KEY": KEY,
        "PLAYGROUND_OWNER_TOKEN": TOKEN,
    }
    flags = ("--left", "one", "--right", "two", "--offer", "offered", "--cache", str(folder / "cache"))
    with site.app(folder, rows(folder, paid), *flags, env=env) as address:
        yield address


def files_asked(hub: Hub) -> list[tuple[str, str]]:
    return [each for each in hub.asked if each[1] != "/api/models"]


def act(caller: Caller, what: str, key: str) -> str:
    """Press that button of the Models tab, whether or not it is there; returns what the page says of it."""
    (pressed,) = caller.events("click", "shelf-top")
    outcome = caller.send(pressed, "", True, "", act=what, key=key)
    assert outcome["success"], outcome
    return str(outcome["output"]["data"][0])


def side(outcome: dict[str, Any], name: str) -> dict[str, Any]:
    assert outcome["success"], outcome
    (found,) = outcome["output"]["data"]
    return dict(found[name])


def test_a_visitor_neither_loads_nor_downloads_nor_unloads_by_an_event_made_by_hand(url: str, hub: Hub) -> None:
    visitor = Caller(url)
    assert "only the owner of this page loads models" in act(visitor, "load", "far")
    assert "only the owner of this page unloads models" in act(visitor, "unload", "far")
    assert files_asked(hub) == []


def test_a_visitor_who_asks_a_model_that_is_not_here_causes_no_download(url: str, hub: Hub) -> None:
    outcome = Caller(url).compare("What is two and two?", "far", "one")
    assert "Far away is not offered to visitors of this page" in side(outcome, "left")["error"]
    assert side(outcome, "right")["text"].strip() == "Four."
    assert files_asked(hub) == []


def test_a_visitor_spends_the_owners_key_on_what_is_offered_and_on_nothing_else(url: str, paid: BadServer) -> None:
    before = len(paid.requests)
    outcome = Caller(url).compare("What is two and two?", "paid", "one")
    assert "start the app with --offer paid" in side(outcome, "left")["error"]
    assert len(paid.requests) == before
    assert side(Caller(url).compare("Hello?", "offered", "one"), "left")["text"] == "Paid words"
    assert paid.requests[-1].headers["authorization"] == f"Bearer {KEY}"


def test_the_owner_asks_everything_and_begins_a_download(url: str, paid: BadServer, hub: Hub) -> None:
    owner = Caller(url, OWNER)
    assert side(owner.compare("Hello?", "paid", "one"), "left")["text"] == "Paid words"
    assert "only the owner" not in act(owner, "load", "far")
    eventually(lambda: files_asked(hub) != [])
    assert "only the owner" not in act(owner, "unload", "far")


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Owner-Token": "a-token-of-somebody"},
        {"X-Owner-Token": ""},
        {"Cookie": f"side-by-side-owner-7860={TOKEN}"},
        {"Cookie": "side-by-side-owner-7860="},
        {"Host": "localhost"},
        {"X-Forwarded-For": "127.0.0.1"},
    ],
)
def test_nothing_but_the_token_makes_an_owner(url: str, hub: Hub, headers: dict[str, str]) -> None:
    port = url.rsplit(":", 1)[1].strip("/")
    shown = {name: value.replace("7860", port) for name, value in headers.items()}
    assert "only the owner of this page unloads models" in act(Caller(url, shown), "unload", "far")


def test_an_address_with_the_token_becomes_a_cookie_and_is_left_at_once(url: str) -> None:
    with httpx.Client(base_url=url, timeout=LIMIT_S, trust_env=False) as client:
        sent_on = client.get("/", params={"owner": TOKEN, "__theme": "dark"})
        assert sent_on.status_code == 303
        assert sent_on.headers["location"] == "?__theme=dark"
        assert sent_on.headers["referrer-policy"] == "same-origin"
        assert sent_on.headers["cache-control"] == "no-store"
        cookie = sent_on.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert TOKEN not in cookie + sent_on.headers["location"]
        kept = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    assert "only the owner" not in act(Caller(url, {"Cookie": kept}), "unload", "far")


def test_a_wrong_token_is_refused_in_words_and_nothing_is_kept(url: str) -> None:
    answer = httpx.get(url, params={"owner": "a-token-of-somebody"}, timeout=LIMIT_S, trust_env=False)
    assert answer.status_code == 403
    assert "This is not the token of this page's owner" in answer.text
    assert "set-cookie" not in answer.headers


def test_the_token_is_in_no_log_and_no_page(url: str, folder: Path) -> None:
    Caller(url, OWNER).compare("Hello?", "one", "two")
    httpx.get(url, params={"owner": TOKEN}, timeout=LIMIT_S, trust_env=False)
    for path in ("", "config", "gradio_api/info"):
        assert TOKEN not in Caller(url, OWNER).get(path).text
    assert TOKEN not in (folder / "app.log").read_text(encoding="utf-8")
    assert "/?owner=YOUR-TOKEN" in (folder / "app.log").read_text(encoding="utf-8")


def test_where_others_reach_the_page_a_token_is_made_up_printed_and_good(tmp_path: Path, paid: BadServer) -> None:
    with site.app(tmp_path, rows(tmp_path, paid), "--left", "one", "--right", "two", "--host", "0.0.0.0") as url:
        assert "only the owner of this page unloads models" in act(Caller(url), "unload", "far")
        log = (tmp_path / "app.log").read_text(encoding="utf-8")
        (line,) = [line for line in log.splitlines() if "http://localhost" in line and "?owner=" in line]
        token = line.partition("?owner=")[2]
        assert len(token) >= 40
        assert "only the owner" not in act(Caller(url, {"X-Owner-Token": token}), "unload", "far")


def test_on_a_loopback_address_whoever_comes_from_this_machine_is_the_owner_and_a_proxy_is_not(
    tmp_path: Path, paid: BadServer
) -> None:
    with site.app(tmp_path, rows(tmp_path, paid), "--left", "one", "--right", "two") as url:
        assert "only the owner" not in act(Caller(url), "unload", "far")
        for shown in ({"X-Forwarded-For": "203.0.113.7"}, {"Via": "1.1 proxy"}, {"Host": "page.example"}):
            assert "only the owner of this page unloads models" in act(Caller(url, shown), "unload", "far")
        assert "owner" not in (tmp_path / "app.log").read_text(encoding="utf-8")
    with site.app(tmp_path, rows(tmp_path, paid), "--left", "one", "--right", "two", "--open") as url:
        assert "only the owner" not in act(Caller(url, {"Host": "page.example"}), "unload", "far")


def test_over_https_the_cookie_is_for_https_only(url: str) -> None:
    how: dict[str, Any] = {"params": {"owner": TOKEN}, "timeout": LIMIT_S, "trust_env": False}
    assert "Secure" not in httpx.get(url, **how).headers["set-cookie"]
    assert "Secure" in httpx.get(url, headers={"X-Forwarded-Proto": "https"}, **how).headers["set-cookie"]


# --- a Space ----------------------------------------------------------------------------------------------------------

SECRET = "of-the-space"
SPACE = {
    "SPACE_ID": "somebody/side-by-side",
    "SYSTEM": "spaces",
    "OAUTH_CLIENT_ID": "id",
    "OAUTH_CLIENT_SECRET": SECRET,
    "OAUTH_SCOPES": "openid profile inference-api",
    "OPENID_PROVIDER_URL": "https://huggingface.co",
}


def signed_in(name: str, secret: str = SECRET, lasts_s: int = 3600) -> dict[str, str]:
    """The cookie of somebody who signed in at the Hub, as Gradio makes it."""
    itsdangerous = pytest.importorskip("itsdangerous", reason="pip install -r requirements-dev.txt")
    user = {"name": name, "preferred_username": name, "profile": f"https://huggingface.co/{name}", "picture": "p"}
    ends = int(time.time()) + lasts_s
    info = {"access_token": "hf_x", "scope": "openid", "expires_at": ends, "userinfo": user}
    key = hashlib.sha256(f"{secret}-v4".encode()).hexdigest()
    data = base64.b64encode(json.dumps({"oauth_info": info}).encode())
    return {"Cookie": f"session={itsdangerous.TimestampSigner(key).sign(data).decode()}"}


def test_on_a_space_its_account_signed_in_is_the_owner_and_nobody_else(tmp_path: Path, paid: BadServer) -> None:
    program = site.ROOT / "tests" / "space_child.py"
    flags = ("--left", "one", "--right", "two", "--host", "127.0.0.1")
    with site.app(tmp_path, rows(tmp_path, paid), *flags, env=SPACE, program=program) as url:
        assert "only the owner" not in act(Caller(url, signed_in("somebody")), "unload", "far")
        for headers in (
            {},
            signed_in("ann"),
            signed_in("somebody", secret=""),
            signed_in("somebody", lasts_s=-60),
            {"X-Owner-Token": ""},
        ):
            assert "only the owner of this page unloads models" in act(Caller(url, headers), "unload", "far")
        assert "Only the Space's owner, signed in" in (tmp_path / "app.log").read_text(encoding="utf-8")
