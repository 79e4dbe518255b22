"""Knows what can be said without a picture: sums, greetings, and questions outside the little world."""

from random import Random

from training.shapes import phrases
from training.shapes.asking import Turn, spelt
from training.shapes.offtopic import off_topic
from training.shapes.world import SHAPES

LARGEST_SUM = 20


def sum_(random: Random) -> Turn:
    total = random.randint(0, LARGEST_SUM)
    a = random.randint(0, total)
    return Turn("sums", random.choice(phrases.SUM).format(a=a, b=total - a), f"The answer is {total}.")


def hello(random: Random) -> Turn:
    if random.random() < 0.5:
        return Turn("greetings", random.choice(phrases.HELLO), phrases.ANSWER_HELLO)
    return Turn("greetings", random.choice(phrases.ABILITIES), phrases.ANSWER_ABILITIES)


def stranger(random: Random) -> Turn:
    return Turn("off-topic", off_topic(random), phrases.ANSWER_OFF_TOPIC)


def blind(random: Random) -> Turn:
    """A question about a picture that was not sent."""
    ways = random.choice(
        (phrases.DIGITS, phrases.TALLEST, phrases.DESCRIBE[:-1], phrases.SHAPE_OF_ONE, phrases.COLOUR_OF_SHAPE)
    )
    return Turn("no picture", random.choice(ways).format(shape=random.choice(SHAPES)), phrases.ANSWER_NO_PICTURE)


def talk(random: Random) -> Turn:
    """One turn of a conversation that has no picture."""
    maker = random.choices((sum_, hello, stranger, blind), (6, 1, 4, 1))[0]
    return spelt(random, maker(random))
