"""Knows by which words a model gives itself away, from its row. Knows no answer until it is handed one.

Some words tell a model wherever they stand ("SmolLM", "Qwen3.5"). Others are words of the language too ("llama",
"Meta") and tell it only where a speaker speaks of itself: "I am Llama, trained by Meta".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from playground.types import ModelSpec

_TITLE_WORDS = """
    model models language instruct instruction chat base assistant demo test local server hosted face mini tiny small
    medium large big nano micro pro plus max ultra turbo flash lite fast quick slow vision text image images code coder
    math preview latest experimental thinking reasoning without with and the for from port knows bit next new old left
    right first second my own broken hidden
"""
_COMMON = frozenset(_TITLE_WORDS.split())
"""Words of titles that many models share, or that any answer has."""
_MEASURE = re.compile(
    r"a?\d[\d.]*[bkmt]?|i?q\d\w*|b?f\d+|fp\d+|int\d+|bnb\d+|mxfp\d+|awq|gptq|gguf|vl|it|v\d+", re.IGNORECASE
)
_NUMBERED = re.compile(r"\b([A-Za-z]{3,})[ -](\d[\d.]*)\b")
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_SELF = (
    r"I am|I['’]m|I was|I have been|my name|my creators?|my makers?|my developers?|call me|as an? AI|as an? \w+ model|"
    r"ich bin|ich hei(?:ß|ss)e|mein name|je suis|je m['’]appelle|soy|me llamo|sono|mi chiamo|eu sou|我是|我叫|私は|"
    r"я|меня зовут"
)
_REACH = 100
"""Characters of one sentence between "I am" and the name: "I am a large language model that was trained by ..."."""


@dataclass(frozen=True, slots=True)
class Names:
    """Words that tell a model: `anywhere`, or only where it speaks of itself (`of_self`). In lower case."""

    anywhere: frozenset[str] = frozenset()
    of_self: frozenset[str] = frozenset()


def names(spec: ModelSpec) -> Names:
    """The words of its title, family and maker that are not everybody's."""
    anywhere: set[str] = set()
    of_self: set[str] = set()
    for text in _sources(spec):
        for word in _words(text):
            stem = re.match(r"[^\d.]*", word)[0]  # type: ignore[index]  # it always matches
            if word[1:] != word[1:].lower() or word != stem:  # capitals or digits within: nobody's word but a name's
                anywhere |= {word.lower(), *([stem.lower()] if _tells(stem) and len(stem) > 3 else [])}
            of_self |= {stem.lower()} if _tells(stem) else set()
        anywhere |= {f"{word} {number}".lower() for word, number in _NUMBERED.findall(text) if _tells(word)}
    if re.search(r"\w-\w", spec.family):  # "gpt-oss"
        anywhere.add(spec.family.lower())
    of_self |= {spec.maker.lower()} if spec.maker else set()
    return Names(frozenset(anywhere), frozenset(of_self))


def _sources(spec: ModelSpec) -> Iterator[str]:
    yield spec.title.split(" · ")[0]
    yield spec.family
    yield spec.repository or (spec.source if _HUB_ID.fullmatch(spec.source) else "")


def _words(text: str) -> list[str]:
    found = (word.strip(".") for word in re.split(r"[^\w.]|_", text))
    return [word for word in found if _tells(word) and not _MEASURE.fullmatch(word)]


def _tells(word: str) -> bool:
    return len(word) > 2 and word.lower() not in _COMMON


def told(text: str, spec: ModelSpec) -> str:
    """The words in the text by which this model names itself or its maker, as they stand there; "" for none."""
    for pattern in _patterns(names(spec)):
        if found := pattern.search(text):
            return found["name"]
    return ""


@lru_cache(maxsize=256)
def _patterns(known: Names) -> tuple[re.Pattern[str], ...]:
    """Words stand by themselves; a number may follow ("Qwen3"), and signs of other scripts may touch them."""
    patterns = []
    if known.anywhere:
        patterns.append(rf"(?<![A-Za-z0-9])(?P<name>{_any(known.anywhere)})(?![A-Za-z])")
    if known.of_self:
        near = rf"(?<![A-Za-z])(?:{_SELF})(?![A-Za-z])[^.!?\n]{{0,{_REACH}}}?"
        patterns.append(rf"{near}(?<![A-Za-z0-9])(?P<name>{_any(known.of_self)})(?![A-Za-z])")
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)


def _any(words: Iterable[str]) -> str:
    return "|".join(re.escape(word).replace(r"\ ", "[ -]?") for word in sorted(words, key=lambda w: (-len(w), w)))
