"""What is true of keys in what others write: ours, and what is shaped like one, are masked; words are not."""

from __future__ import annotations

import io
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.masking import MASK, KeyFilter, mask, mask_logs
from playground.settings import Settings

OURS = "sk-sksecret-00112233"


@pytest.mark.parametrize(
    "key",
    [
        "sk-abcdE1234",
        "sk-proj-AbCd_1234-xyz",
        "sk-ant-api03-AAAA",
        "sk-or-v1-00ff",
        "sk-proj-****abcd",
        "hf_AbCdEfGhIjKlMn123456",
        "gsk_abcdefghij1234567890",
        "xai-abcdefghij1234567890",
        "nvapi-abcdefghij-1234567890",
        "ghp_abcdefghij1234567890",
        "github_pat_11ABCDEFG0123456789",
        "AIzaSyA-1234567890abcdefghij",
        "AKIA" + "IOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    ],
)
def test_what_is_shaped_like_a_key_is_masked(key: str) -> None:
    assert mask(f"Incorrect API key provided: {key}, see") == f"Incorrect API key provided: {MASK}, see"
    assert mask(f'{{"got": "{key}"}}') == f'{{"got": "{MASK}"}}'
    assert mask(f"<{key}>\n({key})") == f"<{MASK}>\n({MASK})"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("API key abcd1234efgh5678 is wrong", "API key [key] is wrong"),
        ("Authorization: Bearer abcdefgh1234", "Authorization: Bearer [key]"),
        ('"api_key": "abcdefgh1234"', '"api_key": "[key]"'),
        ("https://me:secret@h/x?api-key=abc&v=1", "https://[key]@h/x?api-key=[key]&v=1"),
        ("token=abcdefgh12345678", "token=[key]"),
    ],
)
def test_what_is_named_a_key_is_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens 99999 is too large: at most 8192 completion tokens",
        "task-force, disk-usage, sk-learn, hf_transfer",
        "The model `gpt-4o-2024-08-06` does not exist",
        "unexpected token 'x' at position 12345678",
        "token limit 123456789 reached, API key missing",
        "key-value store, pplx-70b-chat-2024-01-01, api-version=2024-06-01",
        "Request id: 3f2b8c1d9e7a4b5c8d9e0f1a2b3c4d5e",
        "user@example.com wrote http://127.0.0.1:8080/v1/chat/completions",
    ],
)
def test_words_stay(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize("text", ["{}", "a{}b", "%s", '"{}"'.replace("%", ""), "key {}!", "https://h/?k={}", "x-{}-y"])
def test_our_own_key_is_masked_whatever_its_shape_and_wherever_it_stands(text: str) -> None:
    for secret in ("plain words of mine", "a/b+c==", 'quo"te\\d', "0123456789abcdef"):
        for form in (secret, secret.replace("/", "%2F").replace("+", "%2B").replace("=", "%3D")):
            assert form not in mask(text.format(form), [secret, None, ""])
    assert mask("it begins with 0123456789…, he said", ["0123456789abcdef0123"]) == f"it begins with {MASK}, he said"


@given(st.text(max_size=60))
def test_text_without_a_key_of_ours_passes_the_filter_as_it_is(text: str) -> None:
    filter_ = KeyFilter("no-text-holds-this")
    assert "".join(filter_.feed(char) for char in text) + filter_.end() == text


@given(st.lists(st.sampled_from(["sk-", "s", OURS, "ks", "x ", OURS[:9], OURS[9:]]), max_size=9), st.integers(1, 25))
def test_a_key_of_ours_does_not_pass_the_filter_however_it_is_split(parts: list[str], size: int) -> None:
    text = "".join(parts)
    filter_ = KeyFilter(OURS)
    found = "".join(filter_.feed(text[n : n + size]) for n in range(0, len(text), size)) + filter_.end()
    assert OURS not in found
    assert found.count(MASK) == text.count(OURS)
    assert found == text or OURS in text


def test_without_a_key_nothing_is_held_back() -> None:
    assert [KeyFilter(secret).feed("sk-x") for secret in (None, "", "sk-x")] == ["sk-x"] * 3


# --- logs ------------------------------------------------------------------------------------------------------------


def test_logs_show_neither_our_keys_nor_what_is_shaped_like_one_nor_do_tracebacks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings(environ={"MY_KEY": "plain words of mine\n", "HF_TOKEN": "", "KEYBOARD": "us-english"})
    assert settings.secrets == ("plain words of mine",)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    monkeypatch.setattr(logging, "lastResort", logging.StreamHandler(stream))
    for _ in range(2):  # the second time changes nothing
        mask_logs(settings.secrets)
    log = logging.getLogger("some.where")
    try:
        raise ValueError("sk-abcDEF123456 and plain words of mine")
    except ValueError:
        log.exception("with %s", "plain words of mine")
    assert logging.lastResort
    logging.lastResort.handle(log.makeRecord("x", logging.ERROR, "f", 1, "hf_%s", ("abcDEF123456",), None))
    said = stream.getvalue()
    assert said.startswith(f"ERROR with {MASK}\nTraceback")
    assert f"ValueError: {MASK} and {MASK}" in said
    assert said.endswith(f"\n{MASK}\n")
