"""Knows how two pictures are asked about so that only telling them apart helps. Not how they are drawn."""

from random import Random

from training.shapes import phrases
from training.shapes.asking import NTH, Turn, ask_of_two, askers, pointed, spelt, traits
from training.shapes.talking import talk
from training.shapes.world import Scene

THROWS = 40  # tries to ask the second picture what the first was asked
CHAT_SHARE = 0.3  # of conversations with a turn about no picture
Pair = tuple[Scene, Scene]


def contrasts(random: Random, pair: Pair, count: int) -> tuple[Turn, ...]:
    """Turns in any order: in which picture each thing is, and `count` times the same question about both pictures."""
    asked = told_apart(random, pair)
    for _ in range(count):
        asked += same_of_both(random, pair) or about_one(random, pair)
    if random.random() < CHAT_SHARE and (chat := talk(random)).kind != "no picture":
        asked.append(chat)
    random.shuffle(asked)
    # No answer is given twice, but which picture it is cannot be copied from another turn.
    return tuple({turn.question if turn.kind == "which picture" else turn.answer: turn for turn in asked}.values())


def about_one(random: Random, pair: Pair) -> list[Turn]:
    turn = ask_of_two(random, pair, kept_only=True)
    return [] if turn.kind == "which picture" else [turn]


def told_apart(random: Random, pair: Pair) -> list[Turn]:
    """For each thing that only one picture shows, in which it is."""
    things = [traits(scene) for scene in pair]
    only = [(at, thing) for at in range(2) for thing in sorted(things[at] - things[1 - at])]
    return [spelt(random, which(random, at, thing)) for at, thing in only]


def which(random: Random, at: int, thing: str) -> Turn:
    question = random.choice(phrases.WHICH_PICTURE).format(thing=thing)
    return Turn("which picture", question, f"The {NTH[at]} picture.")


def same_of_both(random: Random, pair: Pair) -> list[Turn]:
    """One question about each of two pictures that answer it differently; nothing when this throw finds none."""
    at = random.randrange(2)
    chances = askers(pair[at])
    (asker,) = random.choices(list(chances), list(chances.values()))
    one = asker(random, pair[at])
    if one is None or one.kind in ("place", "left out") or asker not in askers(pair[1 - at]):
        return []
    others = (asker(random, pair[1 - at]) for _ in range(THROWS))
    other = next((turn for turn in others if turn and differ(one, turn)), None)
    return [about(random, one, at), about(random, other, 1 - at)] if other else []


def differ(one: Turn, other: Turn) -> bool:
    return one.question == other.question and one.answer != other.answer


def about(random: Random, turn: Turn, at: int) -> Turn:
    """The turn with the picture named that it is about."""
    words = random.choice(phrases.IN_PICTURE).format(nth=NTH[at], digit=at + 1)
    return spelt(random, Turn("two pictures", pointed(turn.question, words), turn.answer, of=at))
