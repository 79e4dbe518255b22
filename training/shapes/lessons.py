"""Knows what is shown and asked at each step of the curriculum. Not tensors."""

from dataclasses import dataclass
from random import Random

from training.shapes import scenes
from training.shapes.asking import Turn, ask, ask_of_two
from training.shapes.talking import talk
from training.shapes.world import Scene

# Step of the speaking phase from which so many figures may be shown: one first, then many.
FIGURES_FROM = ((0, 2), (100, 3), (200, 4), (300, 5))
CHAT_SHARE = 0.1  # of turns beside a picture that are about no picture
TALK_SHARE = 0.12  # of conversations without any picture
PAIRS_FROM, PAIRS_EVERY = 200, 3  # steps with two pictures in each conversation, before there are more of them


@dataclass(frozen=True)
class Lesson:
    """One conversation: its pictures and as many turns as fit."""

    scenes: tuple[Scene, ...]
    turns: tuple[Turn, ...]


def most_figures(step: int) -> int:
    return [count for since, count in FIGURES_FROM if step >= since][-1]


def scene(random: Random, width: int, height: int, most: int = 5) -> Scene:
    """Figures in most pictures, else bars or a number."""
    kind = random.random()
    if kind < 0.64:
        return scenes.figures(random, random.randint(1, most), width, height)
    return scenes.bars(random, width, height) if kind < 0.78 else scenes.number(random, width, height)


def pictures(random: Random, count: int, most: int = 5) -> list[Scene]:
    """Scenes of one size, so that a batch of them is a plain tensor."""
    width, height = scenes.size(random)
    return [scene(random, width, height, most) for _ in range(count)]


def is_pair(step: int, late: bool) -> bool:
    """Whether two pictures are shown: in every third step at first, in two of three late."""
    return step % PAIRS_EVERY != 0 if late else step >= PAIRS_FROM and step % PAIRS_EVERY == 0


def turns(random: Random, shown: tuple[Scene, ...], count: int, late: bool) -> tuple[Turn, ...]:
    """Questions about what is shown, with a little talk among them; none whose answer was just given."""
    asked = [turn(random, shown, late) for _ in range(count)]
    return tuple({turn.answer if shown else turn.question: turn for turn in asked}.values())


def turn(random: Random, shown: tuple[Scene, ...], late: bool) -> Turn:
    if not shown:
        return talk(random)
    if random.random() < CHAT_SHARE:
        chat = talk(random)
        return chat if chat.kind != "no picture" else turn(random, shown, late)
    if len(shown) == 1:
        return ask(random, shown[0], kept_only=late)
    return ask_of_two(random, (shown[0], shown[1]), kept_only=late)


def lessons(seed: int, step: int, count: int, most_turns: int, late: bool) -> list[Lesson]:
    """The conversations of one step of speaking: the same for the same seed and step.

    `late` in speaking most of them show two pictures, and what was not learnt well enough is declined.
    """
    random = Random(f"{seed}/{step}")
    most = most_figures(step)
    if is_pair(step, late):
        pairs = zip(*(pictures(random, count // 2, min(most, 3)) for _ in range(2)), strict=True)
        return [Lesson(pair, turns(random, pair, most_turns, late)) for pair in pairs]
    talks = round(count * TALK_SHARE)
    shown = [(scene,) for scene in pictures(random, count - talks, most)] + [()] * talks
    return [Lesson(scenes, turns(random, scenes, most_turns, late)) for scenes in shown]
