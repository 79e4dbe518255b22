"""Who is the owner of a page, by what a request shows and where the app listens; and what others may ask."""

from __future__ import annotations

import pytest

from playground import policy
from playground.errors import ForbiddenError
from playground.policy import OWNER, Evidence, Person, Policy
from playground.settings import Settings
from playground.types import ModelSpec

LOCAL = Evidence(host="127.0.0.1:7860", address="127.0.0.1")
ABROAD = Evidence(host="192.0.2.1:7860", address="203.0.113.7")
TOKEN = "sixteen-signs-long"
SPACE = {"SPACE_ID": "team/page", "OAUTH_CLIENT_ID": "id", "OAUTH_CLIENT_SECRET": "s", "SPACE_CREATOR_USER_ID": "u1"}


@pytest.mark.parametrize(
    ("settings", "guarded", "here", "abroad"),
    [
        (Settings(), False, True, False),
        (Settings(host="localhost"), False, True, False),
        (Settings(host="::1"), False, True, False),
        (Settings(host="0.0.0.0"), True, False, False),
        (Settings(host="192.168.1.5"), True, False, False),
        (Settings(host=""), True, False, False),
        (Settings(share=True), True, False, False),
        (Settings(owner_token=TOKEN), True, False, False),
        (Settings(environ={"SPACE_ID": "team/page"}), True, False, False),
        (Settings(open=True), False, True, True),
        (Settings(host="0.0.0.0", open=True), False, True, True),
        (Settings(share=True, open=True, owner_token=TOKEN), False, True, True),
    ],
)
def test_who_is_the_owner_follows_from_where_the_app_listens(
    settings: Settings, guarded: bool, here: bool, abroad: bool
):
    found = Policy(settings)
    assert found.guarded is guarded
    assert found.identify(LOCAL).owner is here
    assert found.identify(ABROAD).owner is abroad


@pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1", "127.9.9.9:1", "[::1]:7860", "app.localhost:80"])
def test_a_request_to_a_name_of_this_machine_is_local(host: str):
    assert Policy(Settings()).identify(Evidence(host=host)).owner


@pytest.mark.parametrize(
    "host", ["", "page.example", "127.0.0.1.evil.example:7860", "localhost.evil.example", "10.0.0.1:7860", "0.0.0.0:1"]
)
def test_a_request_to_any_other_name_came_through_something(host: str):
    assert not Policy(Settings()).identify(Evidence(host=host)).owner


def test_what_says_that_it_was_forwarded_is_not_the_owners():
    assert not Policy(Settings()).identify(Evidence(host="localhost:7860", forwarded=True)).owner


@pytest.mark.parametrize("settings", [Settings(owner_token=TOKEN), Settings(host="0.0.0.0"), Settings(share=True)])
def test_the_token_and_the_cookie_made_of_it_are_the_owners_and_nothing_like_them(settings: Settings):
    found = Policy(settings)
    assert found.token
    for good in (Evidence(token=found.token), Evidence(cookie=found.cookie())):
        assert found.identify(good) == OWNER
    for bad in ("", found.token[:-1], found.token + "x", found.cookie(), "ü"):
        assert not found.identify(Evidence(token=bad)).owner
    for bad in ("", found.token, found.cookie()[:-1], Policy(Settings(share=True)).cookie(), "ü"):
        assert not found.identify(Evidence(cookie=bad)).owner


def test_where_everybody_or_this_machine_is_the_owner_no_token_is_made_and_an_empty_one_opens_nothing():
    found = Policy(Settings())
    assert found.token == ""
    assert not found.identify(Evidence(host="page.example", token="", cookie="")).owner
    assert not found.identify(Evidence(host="page.example", cookie=found.cookie())).owner
    assert Policy(Settings(open=True, host="0.0.0.0")).token == ""


@pytest.mark.parametrize(
    ("environ", "shown", "owner"),
    [
        (SPACE, Evidence(hub_name="team", hub_id="u9"), True),
        (SPACE, Evidence(hub_name="ann", hub_id="u1"), True),
        (SPACE, Evidence(hub_name="bob", hub_id="u2"), False),
        (SPACE, Evidence(), False),
        (SPACE | {"SPACE_AUTHOR_NAME": "author"}, Evidence(hub_name="author"), True),
        ({**SPACE, "OAUTH_CLIENT_SECRET": ""}, Evidence(hub_name="team", hub_id="u1"), False),
        ({**SPACE, "OAUTH_CLIENT_ID": ""}, Evidence(hub_name="team", hub_id="u1"), False),
        ({"OAUTH_CLIENT_ID": "id", "OAUTH_CLIENT_SECRET": "s"}, Evidence(hub_name="team"), False),
        (
            {"SPACE_ID": "x", "OAUTH_CLIENT_ID": "id", "OAUTH_CLIENT_SECRET": "s"},
            Evidence(hub_id="", hub_name=""),
            False,
        ),
    ],
)
def test_a_space_is_its_owners_who_signed_in_there(environ: dict[str, str], shown: Evidence, owner: bool):
    assert Policy(Settings(host="0.0.0.0", environ=environ)).identify(shown).owner is owner


def test_a_space_with_sign_in_makes_no_token_up_and_takes_one_that_was_given():
    assert Policy(Settings(host="0.0.0.0", environ=SPACE)).token == ""
    given = Policy(Settings(host="0.0.0.0", environ=SPACE, owner_token=TOKEN))
    assert given.identify(Evidence(token=TOKEN)).owner
    assert Policy(Settings(host="0.0.0.0", environ={**SPACE, "OAUTH_CLIENT_ID": ""})).token


def test_visitors_are_told_apart_by_account_or_address_and_no_address_is_kept():
    found = Policy(Settings(share=True))
    assert found.identify(Evidence(account="ada", address="203.0.113.7")).name == "account ada"
    assert found.identify(Evidence(hub_name="ada")).name == "hub ada"
    one, other = (found.identify(Evidence(address=address)).name for address in ("203.0.113.7", "203.0.113.8"))
    assert one != other
    assert "203.0.113" not in one
    assert one != Policy(Settings(share=True)).identify(Evidence(address="203.0.113.7")).name
    house = {found.identify(Evidence(address=address)).name for address in ("2001:db8::1", "2001:db8::ffff")}
    assert len(house) == 1
    assert found.identify(Evidence(address="2001:db8:0:1::1")).name not in house


VISITOR = Person(name="v")


@pytest.mark.parametrize(
    ("key", "engine", "open_to_all"),
    [
        ("pair", "openai", True),
        ("pair/qwen3:8b", "openai", True),
        ("said", "replay", True),
        ("loaded", "llama.cpp", True),
        ("loaded", "openai", False),
        ("idle", "transformers", False),
        ("keyed", "openai", False),
    ],
)
def test_a_visitor_asks_what_is_offered_loaded_or_recorded(key: str, engine: str, open_to_all: bool):
    found = Policy(Settings(share=True), lambda: {"pair"}, lambda key: key == "loaded")
    spec = ModelSpec(key, key.title(), engine, "s")  # type: ignore[arg-type]
    refusal = found.refusal(spec, VISITOR)
    assert (refusal == "") is open_to_all
    assert open_to_all or f"--offer {key}" in refusal
    assert found.refusal(spec, OWNER) == ""


@pytest.mark.parametrize("act", ["load", "unload", "download", "add"])
def test_only_the_owner_changes_what_is_on_the_machine(act: policy.Act):
    policy.check(OWNER, act, "One")
    with pytest.raises(ForbiddenError, match=f"only the owner of this page {act}s models"):
        policy.check(VISITOR, act, "One")
