"""What is kept of a text when the text is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.votes.traits import markdown, script


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is the capital of France?", "latin"),
        ("Où est la gare?", "latin"),
        ("Что это?", "cyrillic"),
        ("ما هذا؟", "arabic"),
        ("这是什么？", "chinese"),
        ("これは何ですか", "japanese"),
        ("富士山の高さは", "japanese"),
        ("이것은 무엇입니까", "korean"),
        ("Τι είναι αυτό;", "greek"),
        ("यह क्या है", "devanagari"),
        ("Translate: Что это такое, а?", "mixed"),
        ("2 + 2 = ?", ""),
        ("", ""),
    ],
)
def test_the_script_is_that_of_most_letters(text: str, expected: str):
    assert script(text) == expected


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("plain words, 2 * 3 * 4 and a_b_c", 0),
        ("# One\n\n## Two\n#hashtag", 2),
        ("- one\n  - two\n* three\n1. four\n2) five\n-six", 5),
        ("**bold** and __bold__ and ***both***", 2),
        ("before\n```md\n# no\n- no\n```\n- yes", 1),
        ("```\n# never closed", 0),
        ("- **two marks** in one line", 2),
    ],
)
def test_markdown_is_headings_list_items_and_bold_words_outside_of_code(text: str, marks: int):
    assert markdown(text) == marks


@given(st.text())
def test_any_text_has_both(text: str):
    assert markdown(text) >= 0
    assert bool(script(text)) == any(sign.isalpha() for sign in text)
