"""What is true of the address that a person wrote: where it is asked, and whose machine it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.addresses import completions_url, models_url, on_this_machine, plain_url, wants_api_key_header
from playground.types import ModelSpec

AZURE = "https://me.openai.azure.com/openai/deployments/gpt"


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("http://h:1", "http://h:1/v1/chat/completions"),
        ("http://h:1/", "http://h:1/v1/chat/completions"),
        ("http://h:1/v1/", "http://h:1/v1/chat/completions"),
        (" http://h:1/v1\n", "http://h:1/v1/chat/completions"),
        ("http://h/v1beta/openai", "http://h/v1beta/openai/chat/completions"),
        ("http://h/api/v1/chat/completions", "http://h/api/v1/chat/completions"),
        ("http://h/api/v1/chat/completions/", "http://h/api/v1/chat/completions"),
        ("http://h/v1/completions", "http://h/v1/chat/completions"),
        ("http://h/v1/models", "http://h/v1/chat/completions"),
        ("http://h/v1?tenant=a&x=b", "http://h/v1/chat/completions?tenant=a&x=b"),
        ("http://h?tenant=a", "http://h/v1/chat/completions?tenant=a"),
        ("http://h/v1/chat/completions?tenant=a/b", "http://h/v1/chat/completions?tenant=a/b"),
        (f"{AZURE}/chat/completions?api-version=2024-06-01", f"{AZURE}/chat/completions?api-version=2024-06-01"),
        (f"{AZURE}?api-version=2024-06-01", f"{AZURE}/chat/completions?api-version=2024-06-01"),
        ("https://me.openai.azure.com/openai/v1/", "https://me.openai.azure.com/openai/v1/chat/completions"),
        ("http://h/v1#part", "http://h/v1/chat/completions"),
        ("http://0.0.0.0:11434", "http://127.0.0.1:11434/v1/chat/completions"),
        ("http://0.0.0.0/v1", "http://127.0.0.1/v1/chat/completions"),
        ("http://[::]:80/v1", "http://[::1]:80/v1/chat/completions"),
        ("http://me:pw@0.0.0.0:1/v1", "http://me:pw@127.0.0.1:1/v1/chat/completions"),
    ],
)
def test_an_address_is_completed_and_its_query_stays_at_the_end(base: str, url: str) -> None:
    assert completions_url(base) == url
    assert completions_url(url) == url


def test_the_other_addresses_of_a_server_keep_its_query_too() -> None:
    url = completions_url("http://h/v1?tenant=a")
    assert (plain_url(url), models_url(url)) == ("http://h/v1/completions?tenant=a", "http://h/v1/models?tenant=a")
    assert models_url(completions_url(f"{AZURE}?v=1")) == "https://me.openai.azure.com/openai/models?v=1"


@pytest.mark.parametrize(
    ("url", "here"),
    [
        *(
            (f"http://{host}:1/v1", True)
            for host in ("127.0.0.1", "127.1.2.3", "localhost", "LOCALHOST", "a.localhost")
        ),
        *((f"http://{host}:1/v1", True) for host in ("0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "localhost.")),
        *((f"http://{host}:1/v1", False) for host in ("h", "10.0.0.1", "127.example.com", "localhost.example.com")),
        *((address, False) for address in ("", "no address", "http://[::1", "http://h:99999")),
    ],
)
def test_whose_machine_an_address_is(url: str, here: bool) -> None:
    assert on_this_machine(url) is here
    assert ModelSpec("m", "M", "openai", "m", url).local is here


def test_azure_takes_its_key_in_a_header_of_its_own() -> None:
    assert wants_api_key_header(AZURE)
    assert wants_api_key_header("https://me.openai.azure.com/openai/v1/chat/completions")
    assert not wants_api_key_header("https://azure.com.example/v1/chat/completions")
    assert not wants_api_key_header("http://[::1")


@given(st.text(max_size=40) | st.text("htp:/[]0123456789.v1?#@", max_size=30))
def test_any_text_at_all_is_an_address_or_stays_as_it_is(text: str) -> None:
    url = completions_url(text)
    assert isinstance(url, str)
    on_this_machine(text)
    models_url(url), plain_url(url), wants_api_key_header(url)
