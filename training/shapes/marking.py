"""Knows when an answer is right: the asked-for word is said and no wrong one is. Not who gave it."""

import re
from collections import Counter

from training.shapes import phrases
from training.shapes.asking import Turn
from training.shapes.world import COLOURS, PLACES, SHAPES

NAMES = [f"{colour} {shape}" for colour in COLOURS for shape in SHAPES]
WHERE = sorted((word for row in PLACES for word in row), key=lambda word: -len(word))
WORDS = [*NAMES, *WHERE, *COLOURS, *SHAPES, "first", "second", "biggest", "smallest", "tallest"]
TERM = re.compile(rf"\b(?:({'|'.join(WORDS)})(?:e?s)?|(\d+))\b", re.IGNORECASE)
FIXED = {"off-topic": "only know", "no picture": "no picture", "left out": "cannot tell"}
GREETINGS = {phrases.ANSWER_HELLO: "hello", phrases.ANSWER_ABILITIES: "i can"}


def terms(text: str) -> Counter[str]:
    """The words of the little world that a text says, "red circle" as one term, plurals as singulars.

    >>> sorted(terms("A red circle and 3 stars at the top left."))
    ['3', 'red circle', 'star', 'top left']
    """
    return Counter((word or number).lower() for word, number in TERM.findall(text))


def right(turn: Turn, said: str) -> bool:
    """Whether `said` answers the turn: just the terms of the right answer, or the right line for a chat turn."""
    if turn.kind in FIXED:
        return FIXED[turn.kind] in said.lower()
    if turn.kind == "greetings":
        return said.lower().startswith(GREETINGS[turn.answer])
    # A list names its parts in any order; a wrong, missing or extra one is a wrong answer.
    return terms(said) == terms(turn.answer)
