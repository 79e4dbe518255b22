"""Knows which questions a scene answers, and the right answers. Not how the picture is drawn."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from training.shapes import phrases
from training.shapes.labels import biggest, smallest
from training.shapes.world import Figure, Scene, place


@dataclass(frozen=True)
class Turn:
    """One question with its right answer; `kind` is the row of the report it counts in."""

    kind: str
    question: str
    answer: str


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
    """How many figures, figures of one shape or colour, or bars."""
    if scene.bars:
        return counted(random, "bars", len(scene.bars))
    things, number = random.choice(countable(scene) + [("shapes", len(scene.figures))] * 3)
    return counted(random, things, number)


def countable(scene: Scene) -> list[tuple[str, int]]:
    shapes = Counter(figure.shape for figure in scene.figures)
    colours = Counter(figure.colour for figure in scene.figures)
    return [(f"{name}s", n) for name, n in shapes.items()] + [(f"{name} shapes", n) for name, n in colours.items()]


def counted(random: Random, things: str, number: int) -> Turn:
    verb, noun = ("is", things[:-1]) if number == 1 else ("are", things)
    return Turn("count", random.choice(phrases.COUNT).format(things=things), f"There {verb} {number} {noun}.")


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
    joint = "in the" if word == "middle" else "at the"
    return Turn("place", random.choice(phrases.PLACE).format(thing=named[1]), f"The {named[1]} is {joint} {word}.")


def order(random: Random, scene: Scene) -> Turn | None:
    pick, ways, word = random.choice(((biggest, phrases.BIGGEST, "biggest"), (smallest, phrases.SMALLEST, "smallest")))
    found = pick(scene.figures)
    return Turn("size order", random.choice(ways), f"The {found.name} is the {word}.") if found else None


def digits(random: Random, scene: Scene) -> Turn | None:
    return (
        Turn("digits", random.choice(phrases.DIGITS), f"The number is {scene.number.text}.") if scene.number else None
    )


def tallest(random: Random, scene: Scene) -> Turn | None:
    bar = max(scene.bars, key=lambda one: one.height)
    return Turn("bars", random.choice(phrases.TALLEST), f"The {bar.colour} bar is the tallest.")


def describe(random: Random, scene: Scene) -> Turn | None:
    """The whole picture in a sentence; figures and bars from left to right."""
    kind = "description" if len(scene.figures) < 3 else "long description"
    return Turn(kind, random.choice(phrases.DESCRIBE), description(scene))


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


FIGURE_ASKERS: tuple[Asker, ...] = (shape, shape, colour, colour, count, count, where, order, describe)
BAR_ASKERS: tuple[Asker, ...] = (tallest, tallest, tallest, count, describe)
NUMBER_ASKERS: tuple[Asker, ...] = (digits, digits, digits, colour, describe)


def askers(scene: Scene) -> tuple[Asker, ...]:
    return FIGURE_ASKERS if scene.figures else BAR_ASKERS if scene.bars else NUMBER_ASKERS


# Kinds that were not learnt well enough: the last part of the lessons teaches to say so, now and then.
LEFT_OUT = ("size order", "place")
TOO_LONG = "long description"
DECLINE_SHARE = 0.25


def ask(random: Random, scene: Scene, kept_only: bool = False) -> Turn:
    """One question about the scene, the colour word spelt either way; `kept_only` declines what is left out."""
    while True:
        turn = random.choice(askers(scene))(random, scene)
        if turn and kept_only:
            turn = declined(random, turn)
        if turn:
            return spelt(random, turn)


def declined(random: Random, turn: Turn) -> Turn | None:
    """The turn itself when its kind is kept; a refusal, or no turn at all, when it is left out."""
    if turn.kind in LEFT_OUT and random.random() < DECLINE_SHARE:
        return Turn("left out", turn.question, phrases.ANSWER_LEFT_OUT)
    return None if turn.kind in (*LEFT_OUT, TOO_LONG) else turn


def spelt(random: Random, turn: Turn) -> Turn:
    """The same question as different people type it: American spelling, small letters, no mark at the end."""
    question = turn.question.replace("olour", "olor") if random.random() < 0.35 else turn.question
    question = question.replace("picture", "image") if random.random() < 0.15 else question
    question = question.rstrip("?.!") if random.random() < 0.1 else question
    return Turn(turn.kind, question.lower() if random.random() < 0.12 else question, turn.answer)


NTH = ("first", "second")


def ask_of_two(random: Random, scenes: tuple[Scene, Scene], kept_only: bool = False) -> Turn:
    """A question about one of two pictures, named first or second."""
    if random.random() < 0.2 and (turn := which(random, scenes)):
        return spelt(random, turn)
    at = random.randrange(2)
    turn = ask(random, scenes[at], kept_only)
    place_words = random.choice(phrases.IN_PICTURE).format(nth=NTH[at], digit=at + 1)
    kind = turn.kind if turn.kind == "left out" else "two pictures"
    return Turn(kind, pointed(turn.question, place_words), turn.answer)


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
    return Turn("two pictures", question, f"The {NTH[at]} picture.")


def traits(scene: Scene) -> set[str]:
    """The nouns that are true of a scene."""
    nouns = {figure.shape for figure in scene.figures}
    return nouns | ({"bar chart"} if scene.bars else set()) | ({"number"} if scene.number else set())
