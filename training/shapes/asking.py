"""Knows which questions a scene answers, and the right answers. Not how the picture is drawn."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from training.shapes import phrases
from training.shapes.world import Figure, Scene, place


@dataclass(frozen=True)
class Turn:
    """One question with its right answer; `kind` is the row of the report it counts in, `of` the picture (0 or 1) that
    it names, if it names one of two."""

    kind: str
    question: str
    answer: str
    of: int | None = None


Asker = Callable[[Random, Scene], Turn | None]


def lone(scene: Scene, want: Callable[[Figure], bool]) -> Figure | None:
    """The only figure for which `want` is true, if there is exactly one."""
    found = [figure for figure in scene.figures if want(figure)]
    return found[0] if len(found) == 1 else None


def shape(random: Random, scene: Scene) -> Turn | None:
    """The shape of the only figure, or of the only one of its colour."""
    if len(scene.figures) == 1 and random.random() < 0.6:
        return Turn("shape", random.choice(phrases.SHAPE_OF_ONE), f"It is a {scene.figures[0].shape}.")
    colour = random.choice(scene.figures).colour
    found = lone(scene, lambda one: one.colour == colour)
    question = random.choice(phrases.SHAPE_OF_COLOUR).format(colour=colour)
    return Turn("shape", question, f"The {colour} shape is a {found.shape}.") if found else None


def colour(random: Random, scene: Scene) -> Turn | None:
    """The colour of the number, of the only figure, or of the only one of its shape."""
    if scene.number:
        noun = random.choice(("number", "number", "digits"))
        question = random.choice(phrases.COLOUR_OF_ONE[2:]).format(noun=noun)
        return Turn("colour", question, f"The number is {scene.number.colour}.")
    if len(scene.figures) == 1 and random.random() < 0.4:
        question = random.choice(phrases.COLOUR_OF_ONE).format(noun="shape")
        return Turn("colour", question, f"The shape is {scene.figures[0].colour}.")
    name = random.choice(scene.figures).shape
    found = lone(scene, lambda one: one.shape == name)
    question = random.choice(phrases.COLOUR_OF_SHAPE).format(shape=name)
    return Turn("colour", question, f"The {name} is {found.colour}.") if found else None


def count(random: Random, scene: Scene) -> Turn | None:
    """How many figures, figures of one shape or colour, or bars; a rare number is asked for as often as one."""
    if scene.bars:
        return counted(random, "bars", len(scene.bars))
    things = [*countable(scene), ("shapes", len(scene.figures))]
    number = random.choice(sorted({number for _, number in things}))
    return counted(random, random.choice([thing for thing, its in things if its == number]), number)


def countable(scene: Scene) -> list[tuple[str, int]]:
    shapes = Counter(figure.shape for figure in scene.figures)
    colours = Counter(figure.colour for figure in scene.figures)
    return [(f"{name}s", n) for name, n in shapes.items()] + [(f"{name} shapes", n) for name, n in colours.items()]


def counted(random: Random, things: str, number: int) -> Turn:
    """The number comes first in the answer: were it "There is" or "are", that word would already have to count."""
    noun = things[:-1] if number == 1 else things
    return Turn("count", random.choice(phrases.COUNT).format(things=things), f"I count {number} {noun}.")


def thing(random: Random, scene: Scene) -> tuple[Figure, str] | None:
    """A figure with a name that fits no other figure of the scene."""
    found = random.choice(scene.figures)
    if lone(scene, lambda one: one.shape == found.shape):
        return found, random.choice((found.shape, found.name))
    return (found, found.name) if lone(scene, lambda one: one.name == found.name) else None


def where(random: Random, scene: Scene) -> Turn | None:
    named = thing(random, scene)
    if named is None or (word := place(named[0])) is None:
        return None
    return Turn("place", random.choice(phrases.PLACE).format(thing=named[1]), f"The {named[1]} is at the {word}.")


def order(random: Random, scene: Scene) -> Turn | None:
    """Which figure is the biggest or smallest: always declined, because it was not learnt well enough."""
    return Turn("left out", random.choice((*phrases.BIGGEST, *phrases.SMALLEST)), phrases.ANSWER_NO_SIZES)


def digits(random: Random, scene: Scene) -> Turn | None:
    return (
        Turn("digits", random.choice(phrases.DIGITS), f"The number is {scene.number.text}.") if scene.number else None
    )


def tallest(random: Random, scene: Scene) -> Turn | None:
    bar = max(scene.bars, key=lambda one: one.height)
    return Turn("bars", random.choice(phrases.TALLEST), f"The {bar.colour} bar is the tallest.")


def describe(random: Random, scene: Scene) -> Turn | None:
    """The whole picture in a sentence, from left to right; of more than two figures only how many they are."""
    question = random.choice(phrases.DESCRIBE)
    if len(scene.figures) > 2:
        return Turn("many shapes", question, f"I see {len(scene.figures)} shapes.")
    return Turn("description", question, description(scene))


def description(scene: Scene) -> str:
    if scene.number:
        return f"The {scene.number.colour} number {scene.number.text}."
    if scene.bars:
        return f"Bars: {listed([bar.colour for bar in scene.bars])}."
    names = [article(figure.name) for figure in sorted(scene.figures, key=lambda one: one.x)]
    return f"{listed(names)}.".capitalize()


def article(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


FIGURE_ASKERS: dict[Asker, int] = {shape: 8, colour: 8, count: 8, where: 8, describe: 5, order: 1}
BAR_ASKERS: dict[Asker, int] = {tallest: 3, count: 2, describe: 2}
NUMBER_ASKERS: dict[Asker, int] = {digits: 3, colour: 1, describe: 1}
DECLINE_SHARE = 0.2


def askers(scene: Scene) -> dict[Asker, int]:
    """Who may ask about such a scene, and how often of all."""
    return FIGURE_ASKERS if scene.figures else BAR_ASKERS if scene.bars else NUMBER_ASKERS


def ask(random: Random, scene: Scene, kept_only: bool = False) -> Turn:
    """One question about the scene, the colour word spelt either way; `kept_only` declines to tell places."""
    chances = askers(scene)
    while True:
        (asker,) = random.choices(list(chances), list(chances.values()))
        turn = asker(random, scene)
        if turn and turn.kind == "place" and kept_only:
            turn = declined(random, turn)
        if turn:
            return spelt(random, turn)


def declined(random: Random, turn: Turn) -> Turn | None:
    """What is said where places were not learnt well enough; mostly no turn at all, for a refusal is soon learnt."""
    return Turn("left out", turn.question, phrases.ANSWER_NO_PLACES) if random.random() < DECLINE_SHARE else None


def spelt(random: Random, turn: Turn) -> Turn:
    """The same question as different people type it: American spelling, small letters, no mark at the end."""
    question = turn.question.replace("olour", "olor") if random.random() < 0.35 else turn.question
    question = question.replace("picture", "image") if random.random() < 0.15 else question
    question = question.rstrip("?.!") if random.random() < 0.1 else question
    return replace(turn, question=question.lower() if random.random() < 0.12 else question)


NTH = ("first", "second")


def ask_of_two(random: Random, scenes: tuple[Scene, Scene], kept_only: bool = False) -> Turn:
    """A question about one of two pictures, named first or second."""
    if random.random() < 0.25 and (turn := which(random, scenes)):
        return spelt(random, turn)
    at = random.randrange(2)
    turn = ask(random, scenes[at], kept_only)
    place_words = random.choice(phrases.IN_PICTURE).format(nth=NTH[at], digit=at + 1)
    kind = turn.kind if turn.kind == "left out" else "two pictures"
    return Turn(kind, pointed(turn.question, place_words), turn.answer, of=at)


def pointed(question: str, where_to: str) -> str:
    """The question with the picture named: before its mark, in place of any plainer "in the picture"."""
    for plain in (" in the picture", " in the image"):
        question = question.replace(plain, "")
    bare = question.rstrip("?.!")
    for noun in ("the picture", "this image", "the image"):
        if noun in bare:
            return bare.replace(noun, where_to.replace(" in ", "", 1)) + question[len(bare) :]
    return bare + where_to + question[len(bare) :]


def which(random: Random, scenes: tuple[Scene, Scene]) -> Turn | None:
    """In which of two pictures something is, asked only when the other has no such thing."""
    words = [traits(scene) for scene in scenes]
    at = random.randrange(2)
    only = sorted(words[at] - words[1 - at])
    if not only:
        return None
    question = random.choice(phrases.WHICH_PICTURE).format(thing=random.choice(only))
    return Turn("which picture", question, f"The {NTH[at]} picture.")


def traits(scene: Scene) -> set[str]:
    """The nouns that are true of a scene."""
    nouns = {figure.shape for figure in scene.figures}
    return nouns | ({"bar chart"} if scene.bars else set()) | ({"number"} if scene.number else set())
