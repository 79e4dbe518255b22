"""Knows what is kept of a text when the text itself is not: its script, its Markdown. Knows no column and no vote.

Both are counts of signs, not judgements. A script is not a language (English, French and Swahili are all `latin`), but
unlike a guess at the language of a short prompt it is never wrong about what it says.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from itertools import islice

_LOOKED_AT = 2_000
_MOST = 0.7
"""A share of the letters that names the whole."""
_JAPANESE = 0.1
"""Kana are Japanese wherever they stand; so much of them makes the Chinese characters around them Japanese, too."""
_NAMES = {"cjk": "chinese", "hiragana": "japanese", "katakana": "japanese", "hangul": "korean"}

_FENCED = re.compile(r"^ *(```|~~~).*?(?:^ *\1|\Z)", re.MULTILINE | re.DOTALL)
_MARKS = re.compile(r"^ {0,3}#{1,6} |^ *(?:[-*+]|\d{1,9}[.)]) |(?<!\*)\*\*[^*\n]+\*\*|(?<!_)__[^_\n]+__", re.MULTILINE)


def script(text: str) -> str:
    """The script of most of its letters: `latin`, `cyrillic`, `arabic`, `chinese`, `japanese`...; `mixed` where none
    has 70 %, and nothing where there are no letters."""
    letters = islice((sign for sign in text if sign.isalpha()), _LOOKED_AT)
    counts = Counter(_script(letter) for letter in letters)
    total = counts.total()
    if counts["japanese"] >= _JAPANESE * total:
        counts["japanese"] += counts.pop("chinese", 0)
    if not total:
        return ""
    ((name, most),) = counts.most_common(1)
    return name if most >= _MOST * total else "mixed"


def _script(letter: str) -> str:
    """The first word of a letter's name in the Unicode character database is its script."""
    first = unicodedata.name(letter, "OTHER").split()[0].split("-")[0].lower()
    return _NAMES.get(first, first)


def markdown(text: str) -> int:
    """Headings, list items and bold words, outside of code: the Markdown that Chatbot Arena's style control counts
    (Li, Angelopoulos and Chiang, "Does style matter?", LMSYS 2024)."""
    return sum(1 for _ in _MARKS.finditer(_FENCED.sub("", text)))
