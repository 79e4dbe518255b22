"""Knows what is shown and asked at each step of the curriculum. Not tensors."""

from dataclasses import dataclass
from random import Random

from training.shapes import scenes
from training.shapes.asking import Turn, ask, ask_of_two
from training.shapes.contrasts import Pair, contrasts
from training.shapes.talking import talk
from training.shapes.world import Scene

# Step of the speaking phase from which so many figures may be shown: one first, then many.
FIGURES_FROM = ((0, 2), (100, 3), (200, 4), (300, 5))
CHAT_SHARE = 0.1  # of turns beside a picture that are about no picture
TALK_SHARE = 0.12  # of conversations without any picture
SINGLES_EVERY = 4  # steps with one picture in each conversation, among contrasts
PAIRS_FROM, PAIRS_EVERY = 200, 3  # steps with two pictures in each conversation, before there are more of them


@dataclass(frozen=True)
class Lesson:
    """One conversation: its pictures and as many turns as fit."""

    scenes: tuple[Scene, ...]
    turns: tuple[Turn, ...]


def most_figures(step: int) -> int:
    return [count for since, count in FIGURES_FROM if step >= since][-1]


def scene(random: Random, width: int, height: int, most: int = 5, fewest: int = 1) -> Scene:
    """Figures in most pictures, else bars or a number."""
    return scene_of(random.random(), random, width, height, most, fewest)


def scene_of(kind: float, random: Random, width: int, height: int, most: int, fewest: int = 1) -> Scene:
    """A scene of the kind that a throw between 0 and 1 stands for."""
    if kind < 0.64:
        return scenes.figures(random, random.randint(fewest, most), width, height)
    return scenes.bars(random, width, height) if kind < 0.78 else scenes.number(random, width, height)


def pictures(random: Random, count: int, most: int = 5, fewest: int = 1) -> list[Scene]:
    """Scenes of one size, so that a batch of them is a plain tensor."""
    width, height = scenes.size(random)
    return [scene(random, width, height, most, fewest) for _ in range(count)]


def strangers(random: Random, count: int, most: int) -> list[Pair]:
    """Pairs of any two scenes."""
    firsts, seconds = (pictures(random, count, most) for _ in range(2))
    return list(zip(firsts, seconds, strict=True))


def twins(random: Random, count: int, most: int) -> list[Pair]:
    """Pairs of which every other one is of two scenes of one kind."""
    sizes = scenes.size(random), scenes.size(random)
    pairs = []
    for i in range(count):
        kind = random.random()
        kinds = kind, kind if i % 2 else random.random()
        first, second = (scene_of(its, random, *size, most) for its, size in zip(kinds, sizes, strict=True))
        pairs.append((first, second))
    return pairs


@dataclass(frozen=True)
class Stage:
    """What is different later in speaking: `late` most lessons show two pictures, and what was not learnt well enough
    is declined; then half of them do, and the others show `crowds` of three figures or more; then half the pairs are
    `twins`: of one kind, so that only their order tells them apart; last, three in four show two pictures, and both are
    asked the same: `contrasts`."""

    late: bool = False
    crowds: bool = False
    twins: bool = False
    contrasts: bool = False


def is_pair(step: int, stage: Stage) -> bool:
    if stage.contrasts:
        return step % SINGLES_EVERY != 0
    if stage.crowds:
        return step % 2 == 0
    return step % PAIRS_EVERY != 0 if stage.late else step >= PAIRS_FROM and step % PAIRS_EVERY == 0


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


def lessons(seed: int, step: int, count: int, most_turns: int, stage: Stage) -> list[Lesson]:
    """The conversations of one step of speaking: the same for the same seed and step."""
    random = Random(f"{seed}/{step}")
    most = most_figures(step)
    if is_pair(step, stage):
        pairs = (twins if stage.twins else strangers)(random, count // 2, min(most, 3))
        if stage.contrasts:
            return [Lesson(pair, contrasts(random, pair, most_turns)) for pair in pairs]
        return [Lesson(pair, turns(random, pair, most_turns, stage.late)) for pair in pairs]
    talks = round(count * TALK_SHARE)
    shown = [(scene,) for scene in pictures(random, count - talks, most, 3 if stage.crowds else 1)] + [()] * talks
    return [Lesson(scenes, turns(random, scenes, most_turns, stage.late)) for scenes in shown]
