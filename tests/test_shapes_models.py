"""What the shipped shapes models say about pictures, through the plain auto classes. Knows nothing of training."""

import functools
import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from PIL import Image, ImageOps

from training.shapes.drawing import draw
from training.shapes.offtopic import HELD_OUT
from training.shapes.prompt_pictures import PICTURES
from training.shapes.world import RGB, Background, Figure, Scene

WEIGHTS = Path(__file__).resolve().parents[1] / "playground" / "weights"
MODELS = ("shapes-small", "shapes-large")
OFF_TOPIC = "only know simple shapes, digits and bars"
pytestmark = pytest.mark.skipif(
    not all((WEIGHTS / name / "model.safetensors").exists() for name in MODELS),
    reason="the shapes weights are absent; `python -m training.shapes make` makes them again",
)


@functools.cache
def loaded(name: str):
    processor = transformers.AutoProcessor.from_pretrained(WEIGHTS / name)
    return processor, transformers.AutoModelForImageTextToText.from_pretrained(WEIGHTS / name).eval()


def say(name: str, messages: list[dict]) -> str:
    processor, model = loaded(name)
    inputs = processor.apply_chat_template(
        messages, tokenize=True, add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )
    with torch.inference_mode():
        ids = model.generate(**inputs)[0, inputs["input_ids"].shape[1] :]
    assert ids[-1] == processor.tokenizer.eos_token_id, "an answer ends by itself"
    return processor.decode(ids, skip_special_tokens=True)


def asked(question: str, *pictures: Image.Image) -> dict:
    shown = [{"type": "image", "image": picture} for picture in pictures]
    return {"role": "user", "content": [*shown, {"type": "text", "text": question}]}


def told(answer: str) -> dict:
    return {"role": "assistant", "content": [{"type": "text", "text": answer}]}


def answer(name: str, question: str, *pictures: Image.Image) -> str:
    return say(name, [asked(question, *pictures)])


def as_sent(data: bytes) -> Image.Image:
    """A picture file as an app sends it: turned the right way up, transparency laid on white."""
    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def one(shape: str, colour: str, rgb: RGB, x: float = 0.5, y: float = 0.5, side: int = 256) -> Image.Image:
    white = Background("plain", (255, 255, 255), (255, 255, 255))
    return draw(Scene(side, side, white, figures=(Figure(shape, colour, rgb, x, y, 0.2),)))


RED_CIRCLE = one("circle", "red", (220, 40, 40))
GREEN_CIRCLE = one("circle", "green", (40, 160, 60))
BLUE_STAR = one("star", "blue", (40, 90, 220), 0.2, 0.2)


@pytest.mark.parametrize("name", MODELS)
def test_swapping_the_pictures_swaps_the_answers(name):
    question = "What colour is the circle?"
    assert answer(name, question, RED_CIRCLE) == "The circle is red."
    assert answer(name, question, GREEN_CIRCLE) == "The circle is green."


@pytest.mark.parametrize("name", MODELS)
def test_the_answer_depends_on_the_second_picture(name):
    question = "What colour is the circle in the second picture?"
    assert "red" in answer(name, question, BLUE_STAR, RED_CIRCLE)
    assert "green" in answer(name, question, BLUE_STAR, GREEN_CIRCLE)


@pytest.mark.parametrize("name", MODELS)
def test_the_answer_depends_on_the_first_picture(name):
    question = "What colour is the circle in the first picture?"
    assert "red" in answer(name, question, RED_CIRCLE, BLUE_STAR)
    assert "green" in answer(name, question, GREEN_CIRCLE, BLUE_STAR)


@pytest.mark.parametrize("question", ["What colour is the circle in the first picture?", "Describe picture 1."])
def test_of_two_pictures_that_both_fit_the_larger_one_reads_the_one_that_is_named(question):
    assert "red" in answer("shapes-large", question, RED_CIRCLE, GREEN_CIRCLE)
    assert "green" in answer("shapes-large", question, GREEN_CIRCLE, RED_CIRCLE)
    other = question.replace("first", "second").replace("1", "2")
    assert "green" in answer("shapes-large", other, RED_CIRCLE, GREEN_CIRCLE)
    assert "red" in answer("shapes-large", other, GREEN_CIRCLE, RED_CIRCLE)


def test_the_larger_one_says_which_picture_shows_a_thing():
    question = "Which picture shows a star?"
    assert answer("shapes-large", question, BLUE_STAR, RED_CIRCLE) == "The first picture."
    assert answer("shapes-large", question, RED_CIRCLE, BLUE_STAR) == "The second picture."


@pytest.mark.parametrize("name", MODELS)
def test_a_second_turn_is_about_the_same_picture(name):
    first = "What shape is in the picture?"
    for picture, shape, colour in ((BLUE_STAR, "star", "blue"), (RED_CIRCLE, "circle", "red")):
        turns = [asked(first, picture), told(f"It is a {shape}."), asked(f"What colour is the {shape}?")]
        assert say(name, turns) == f"The {shape} is {colour}."


@pytest.mark.parametrize("name", MODELS)
def test_color_reads_the_same_as_colour(name):
    assert answer(name, "What color is the circle?", RED_CIRCLE) == "The circle is red."


@pytest.mark.parametrize("side", [64, 512])
@pytest.mark.parametrize("name", MODELS)
def test_the_smallest_and_the_largest_pictures_read_the_same(name, side):
    picture = one("circle", "red", (220, 40, 40), side=side)
    assert picture.size == (side, side)
    assert answer(name, "What colour is the circle?", picture) == "The circle is red."
    assert answer(name, "What shape is this?", picture) == "It is a circle."


@pytest.mark.parametrize("name", MODELS)
def test_a_photo_lying_on_its_side_reads_like_its_plain_form(name):
    rotated, file = Image.Exif(), io.BytesIO()
    rotated[0x0112] = 6  # "turn a quarter to the right", as a phone held upright writes it
    BLUE_STAR.transpose(Image.Transpose.ROTATE_90).save(file, "JPEG", quality=95, exif=rotated)
    sent = as_sent(file.getvalue())
    for question, right in (("What shape is this?", "star"), ("What colour is the star?", "blue")):
        assert right in answer(name, question, sent)
        assert answer(name, question, sent) == answer(name, question, BLUE_STAR)


@pytest.mark.parametrize("name", MODELS)
def test_a_transparent_png_reads_like_its_plain_form(name):
    pixels, file = np.array(RED_CIRCLE.convert("RGBA")), io.BytesIO()
    pixels[(pixels == 255).all(axis=-1)] = 0
    Image.fromarray(pixels).save(file, "PNG")
    question = "What colour is the circle?"
    assert (
        answer(name, question, as_sent(file.getvalue())) == answer(name, question, RED_CIRCLE) == "The circle is red."
    )


@pytest.mark.parametrize("name", MODELS)
def test_of_questions_never_learnt_four_in_five_get_the_honest_line(name):
    honest = [OFF_TOPIC in answer(name, question) for question in HELD_OUT]
    assert sum(honest) >= 0.8 * len(honest)


@pytest.mark.parametrize("name", MODELS)
def test_what_was_left_out_is_declined(name):
    assert answer(name, "Where is the star?", BLUE_STAR) == "Sorry, I cannot tell places."
    assert answer(name, "Which shape is the biggest?", draw(PICTURES["shapes-02"])) == "Sorry, I cannot tell sizes."


@pytest.mark.parametrize("name", MODELS)
def test_sums_and_greetings_need_no_picture(name):
    assert answer(name, "What is 3 + 4?") == "The answer is 7."
    assert answer(name, "Hello!").startswith("Hello!")
    assert "shapes" in answer(name, "What can you do?")


@pytest.mark.parametrize(
    ("picture", "question", "word"),
    [
        ("shapes-01", "What colour is the circle?", "red"),
        ("shapes-02", "What colour is the star?", "orange"),
        ("shapes-03", "What colour is the triangle?", "green"),
        ("shapes-04", "What number is this?", "7"),
        ("shapes-05", "Which bar is the tallest?", "green"),
        ("shapes-06", "How many circles are there?", "3"),
    ],
)
def test_the_larger_one_answers_the_prompts_of_the_library(picture, question, word):
    assert word in answer("shapes-large", question, draw(PICTURES[picture]))


@pytest.mark.parametrize(
    ("pictures", "question", "word"),
    [
        (("shapes-02", "shapes-08"), "What colour is the circle in the second picture?", "green"),
        (("shapes-01", "shapes-08"), "What colour is the circle in the first picture?", "red"),
        (("shapes-08", "shapes-02"), "Which picture shows a star?", "second"),
    ],
)
def test_the_larger_one_answers_the_prompts_with_two_pictures(pictures, question, word):
    assert word in answer("shapes-large", question, *(draw(PICTURES[name]) for name in pictures))


def test_files_are_as_their_sums_say_and_small_enough_to_ship():
    lines = (WEIGHTS / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    files = [path for name in MODELS for path in (WEIGHTS / name).iterdir()]
    assert set(sums) == {path.relative_to(WEIGHTS).as_posix() for path in files}
    for path in files:
        assert sums[path.relative_to(WEIGHTS).as_posix()] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert max(path.stat().st_size for path in files) <= 9_000_000
    assert sum(path.stat().st_size for path in files) <= 12_000_000


@pytest.mark.parametrize("name", MODELS)
def test_the_models_are_of_the_very_architecture(name):
    processor, model = loaded(name)
    assert type(model).__name__ == "Qwen3_5ForConditionalGeneration"
    assert type(processor).__name__ == "Qwen3VLProcessor"
    assert model.dtype == torch.bfloat16
    assert set(model.config.text_config.layer_types) == {"linear_attention", "full_attention"}
    assert "_name_or_path" not in (WEIGHTS / name / "config.json").read_text()
