"""The page as a Space with `hf_oauth` shows it: a visitor signs in, and the router is asked in that visitor's name.

Signing in itself is Gradio's and the Hub's; the session that it leaves behind is made here as Gradio makes it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import browser as browsers
from tests import site
from tests.badserver import DONE, STOP, BadServer, event, sse, text
from tests.browser import answer, ask, finished

pytestmark = browsers.MARKS
browser, visit = browsers.browser, browsers.visit
itsdangerous = pytest.importorskip("itsdangerous", reason="pip install -r requirements-dev.txt")

OWNER, VISITOR, SECRET = "hf_of_the_owner", "hf_of_the_visitor", "of-the-space"
SPACE = {
    "SPACE_ID": "somebody/side-by-side",
    "SYSTEM": "spaces",
    "OAUTH_CLIENT_ID": "id",
    "OAUTH_CLIENT_SECRET": SECRET,
    "OAUTH_SCOPES": "openid profile inference-api",
    "OPENID_PROVIDER_URL": "https://huggingface.co",
    "HF_TOKEN": OWNER,
}


@pytest.fixture(scope="module")
def router() -> Iterator[BadServer]:
    with BadServer([sse(), ("send", event(text("Hosted words")) + STOP + DONE)]) as server:
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("space")


@pytest.fixture(scope="module")
def url(folder: Path, router: BadServer) -> Iterator[str]:
    rows = (
        f'[[model]]\nkey = "hosted"\ntitle = "Hosted 120B"\nengine = "openai"\nbase_url = "{router.url}"\n'
        'source = "maker/hosted"\napi_key_env = "HF_TOKEN"\n'
        + site.model(folder, "said", [{"match": "", "events": site.words("Recorded words")}])
    )
    flags = ("--left", "hosted", "--right", "said", "--host", "127.0.0.1", "--votes", str(folder / "votes/votes.csv"))
    with site.app(folder, rows, *flags, env=SPACE, program=site.ROOT / "tests" / "space_child.py") as address:
        yield address


def session() -> str:
    """The cookie of a visitor who signed in."""
    user = {"name": "Ann", "preferred_username": "ann", "profile": "https://huggingface.co/ann", "picture": "p"}
    info = {"access_token": VISITOR, "scope": "openid", "expires_at": int(time.time()) + 3600, "userinfo": user}
    key = hashlib.sha256(f"{SECRET}-v4".encode()).hexdigest()
    data = base64.b64encode(json.dumps({"oauth_info": info}).encode())
    return str(itsdangerous.TimestampSigner(key).sign(data).decode())


def test_a_visitor_who_did_not_sign_in_is_told_so_and_nobody_elses_key_is_used(
    visit: Callable[..., object], url: str, router: BadServer
) -> None:
    tab = visit(url)
    assert tab.get_by_role("button", name="Sign in").is_visible()
    before = len(router.requests)
    ask(tab, "Hello?")
    finished(tab)
    sign_in = tab.get_by_role("button", name="Sign in").bounding_box()
    switches = [tab.locator(place).bounding_box() for place in (".pacing-seg", ".mode-seg")]
    assert all(box["x"] + box["width"] <= sign_in["x"] for box in switches), "it covers a switch"
    assert "Sign in at the top of the page" in answer(tab, "left").inner_text()
    assert "Recorded words" in answer(tab, "right").inner_text()
    assert len(router.requests) == before


def test_a_visitor_who_signed_in_asks_the_router_with_the_own_token_which_is_kept_nowhere(
    visit: Callable[..., object], url: str, router: BadServer, folder: Path
) -> None:
    tab = visit(url)
    tab.context.add_cookies([{"name": "session", "value": session(), "url": url}])
    tab.reload()
    tab.get_by_role("button", name="Sign out ann").wait_for()
    ask(tab, "Hello?")
    finished(tab)
    assert "Hosted words" in answer(tab, "left").inner_text()
    assert router.requests[-1].headers["authorization"] == f"Bearer {VISITOR}"
    tab.wait_for_timeout(browsers.REACTION_MS)
    tab.get_by_role("button", name="Left is better").click()
    tab.get_by_text("Thank you.").wait_for()
    written = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert any(b"Hosted words" in text for text in written)
    assert not any(VISITOR.encode() in text or OWNER.encode() in text for text in written)
    assert OWNER not in str([request.headers for request in router.requests])
    assert VISITOR not in tab.content()
