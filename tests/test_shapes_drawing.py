"""What the lessons of the shapes models show, ask and accept. Knows nothing of weights."""

from dataclasses import replace
from random import Random

import pytest
import torch
from transformers.models.qwen3_5 import modeling_qwen3_5 as qwen

from training.shapes import (
    asking,
    batches,
    contrasts,
    drawing,
    keeping,
    labels,
    learning,
    lessons,
    marking,
    offtopic,
    phrases,
    quick,
    scenes,
    shipping,
    sizes,
    talking,
    tokens,
)
from training.shapes.asking import Turn
from training.shapes.world import COLOURS, PLACES, SHAPES, Background, Bar, Figure, Number, Scene, place

EARLY = lessons.Stage()
WHITE = Background("plain", (255, 255, 255), (255, 255, 255))
RED, BLUE = (255, 0, 0), (0, 0, 255)


def picture_of(*figures: Figure, size: int = 128) -> Scene:
    return Scene(size, size, WHITE, figures=figures, smooth=False)


@pytest.fixture(scope="module")
def words():
    return tokens.tokenizer(1)


@pytest.fixture(scope="module")
def processor(words):
    return tokens.processor(words, patch=8, merge=2, side=128)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_figure_is_drawn_in_its_ink_at_its_place(shape):
    image = drawing.draw(picture_of(Figure(shape, "red", RED, 0.3, 0.7, 0.2)))
    assert image.getpixel((int(0.3 * 128), int(0.7 * 128))) == RED
    assert image.getpixel((120, 10)) == (255, 255, 255)


@pytest.mark.parametrize("count", range(1, 6))
def test_figures_never_touch_and_stand_out(count):
    scene = scenes.figures(Random(count), count, 200, 140)
    assert len(scene.figures) == count
    for one in scene.figures:
        assert scenes.contrasts(one.rgb, [scene.background.rgb, scene.background.other])
        assert all(one is other or scenes.apart(one, other, 200, 140) for other in scene.figures)


def test_the_tallest_bar_clearly_beats_the_next():
    for seed in range(30):
        heights = sorted(bar.height for bar in scenes.bars(Random(seed), 100, 100).bars)
        assert heights[-1] >= 1.12 * heights[-2]


def test_pictures_keep_to_the_promised_sizes():
    sizes = [scenes.size(Random(seed)) for seed in range(300)]
    assert all(64 <= side <= 512 for size in sizes for side in size)
    assert len(set(sizes)) > 200


@pytest.mark.parametrize(("x", "y", "word"), [(0.1, 0.1, "top left"), (0.5, 0.5, "middle"), (0.9, 0.5, "right")])
def test_places_are_thirds(x, y, word):
    assert place(Figure("star", "red", RED, x, y, 0.1)) == word


def test_a_figure_on_a_border_has_no_place_word():
    assert place(Figure("star", "red", RED, 1 / 3, 0.5, 0.1)) is None


def test_cells_name_what_their_middle_shows():
    cells = labels.cells(picture_of(Figure("square", "blue", BLUE, 0.25, 0.25, 0.2)), 8, 8)
    assert cells[2, 2] == labels.FIRST_FIGURE + SHAPES.index("square") * len(COLOURS) + COLOURS.index("blue")
    assert cells[6, 6] == labels.NOTHING


def test_two_digits_lie_in_their_order():
    scene = Scene(128, 128, WHITE, number=Number("42", "red", RED, 0.5, 0.5, 0.8))
    row = labels.cells(scene, 8, 8)[4]
    assert row[2] == labels.FIRST_DIGIT + 4
    assert row[5] == labels.FIRST_DIGIT + 2


def test_the_same_seed_asks_the_same():
    assert lessons.lessons(5, 900, 8, 4, EARLY) == lessons.lessons(5, 900, 8, 4, EARLY)
    assert lessons.lessons(5, 900, 8, 4, EARLY) != lessons.lessons(6, 900, 8, 4, EARLY)


@pytest.mark.parametrize("step", [0, 900, 4000])
def test_every_right_answer_is_marked_right(step):
    for lesson in lessons.lessons(1, step, 32, 6, lessons.Stage(step > 1000, step > 1000)):
        for turn in lesson.turns:
            assert marking.right(turn, turn.answer), turn


def test_questions_about_colour_name_only_lone_figures():
    scene = picture_of(Figure("star", "red", RED, 0.2, 0.2, 0.1), Figure("star", "blue", BLUE, 0.8, 0.8, 0.1))
    assert all(asking.colour(Random(seed), scene) is None for seed in range(20))


def test_a_description_goes_from_left_to_right():
    scene = picture_of(
        Figure("star", "red", RED, 0.8, 0.2, 0.1), Figure("circle", "orange", (255, 165, 0), 0.2, 0.8, 0.1)
    )
    assert asking.description(scene) == "An orange circle and a red star."


def test_bars_are_described_by_colour():
    scene = Scene(9, 9, WHITE, bars=(Bar("red", RED, 0, 0.3, 0.5), Bar("blue", BLUE, 0.5, 0.9, 0.2)))
    assert asking.description(scene) == "Bars: red and blue."


@pytest.mark.parametrize(
    ("plain", "pointed"),
    [
        ("What colour is the star?", "What colour is the star in the first picture?"),
        ("Describe the picture.", "Describe the first picture."),
        ("How many stars are in the picture?", "How many stars are in the first picture?"),
    ],
)
def test_a_question_about_one_of_two_names_it(plain, pointed):
    assert asking.pointed(plain, " in the first picture") == pointed


COLOUR = Turn("colour", "What colour is the star?", "The star is red.")
LIST = Turn("description", "Describe.", "A red star and a blue circle.")


@pytest.mark.parametrize(
    ("turn", "said", "is_right"),
    [
        (COLOUR, "The star is red.", True),
        (COLOUR, "The star is blue.", False),
        (COLOUR, "The star is red and blue.", False),
        (COLOUR, "The circle is red.", False),
        (COLOUR, "", False),
        (LIST, "A blue circle and a red star.", True),
        (LIST, "A blue star and a red circle.", False),
        (LIST, "A red star.", False),
        (Turn("place", "Where?", "The star is at the top left."), "The star is at the top.", False),
        (Turn("sums", "9 + 8", "The answer is 17."), "The answer is 17.", True),
        (Turn("sums", "9 + 8", "The answer is 17."), "The answer is 7.", False),
        (Turn("off-topic", "Who?", ""), "Sorry, I only know simple shapes, digits and bars.", True),
        (Turn("off-topic", "Who?", ""), "A red star.", False),
    ],
)
def test_an_answer_is_right_when_its_word_is_said_and_no_wrong_one(turn, said, is_right):
    assert marking.right(turn, said) is is_right


def test_places_of_two_words_are_one_term():
    assert marking.terms("at the bottom right, not the top") == {"bottom right": 1, "top": 1}
    assert {word for row in PLACES for word in row} <= set(marking.terms(", ".join(w for row in PLACES for w in row)))


def test_no_held_out_question_was_learnt():
    learnt = {offtopic.off_topic(Random(seed)).lower() for seed in range(5000)} | {
        text.lower() for text in offtopic.WHOLE
    }
    assert not learnt & {text.lower() for text in offtopic.HELD_OUT}
    assert len(offtopic.HELD_OUT) >= 50


def test_sums_stay_within_twenty():
    answers = {int(talking.sum_(Random(seed)).answer.split()[-1].rstrip(".")) for seed in range(500)}
    assert answers <= set(range(21))


def test_a_lesson_has_the_very_ids_of_the_shipped_chat_template(processor):
    for step, pictures in ((899, 1), (900, 2)):
        lesson = lessons.lessons(3, step, 4, 3, EARLY)[0]
        assert len(lesson.scenes) == pictures
        maker = batches.Maker(processor, longest=10_000)
        made = maker.batch([lesson])
        shown = [{"type": "image", "image": drawing.draw(scene)} for scene in lesson.scenes]
        messages = []
        for i, turn in enumerate(lesson.turns):
            parts = [{"type": "text", "text": turn.question}, *(shown if i == 0 else [])]
            messages += [{"role": "user", "content": parts}, {"role": "assistant", "content": turn.answer}]
        whole = processor.apply_chat_template(messages, tokenize=True, return_dict=True, return_tensors="pt")
        assert made.ids[0].tolist() == whole["input_ids"][0].tolist()
        assert torch.equal(made.seen.pixels, whole["pixel_values"])
        assert torch.equal(batches.image_types(made.ids), whole["mm_token_type_ids"].int())


def test_only_answers_weigh_and_their_content_weighs_most(processor, words):
    scene = picture_of(Figure("star", "red", RED, 0.5, 0.5, 0.2))
    lesson = lessons.Lesson((scene,), (COLOUR, Turn("sums", "1 + 2", "The answer is 3.")))
    made = batches.Maker(processor, longest=500).batch([lesson])
    heavy = words.decode(made.ids[0][made.weights[0] == 1])
    assert heavy.split() == ["star", "red3"]
    assert "What" not in words.decode(made.ids[0][made.weights[0] > 0])


def test_every_cell_of_two_pictures_is_told_which_it_is_of(processor):
    maker = batches.Maker(processor, longest=10_000)
    pairs = lessons.lessons(3, 900, 4, 2, EARLY)
    made = maker.batch(pairs, numbered=True)
    cells = (made.seen.grid.prod(-1) // 4).tolist()
    assert made.nth.tolist() == [at for i, count in enumerate(cells) for at in [i % 2] * count]
    assert maker.batch(pairs).nth is None
    assert maker.batch(lessons.lessons(3, 899, 4, 2, EARLY), numbered=True).nth is None


LATEST = lessons.Stage(late=True, crowds=True, twins=True, contrasts=True)


def two_stars() -> tuple[Scene, Scene]:
    return (
        picture_of(Figure("star", "red", RED, 0.5, 0.5, 0.2)),
        picture_of(Figure("star", "blue", BLUE, 0.3, 0.3, 0.1), Figure("circle", "blue", BLUE, 0.8, 0.8, 0.1)),
    )


def test_the_same_question_of_both_pictures_has_two_answers():
    found = [turns for seed in range(200) if (turns := contrasts.same_of_both(Random(seed), two_stars()))]
    assert len(found) > 40
    for one, other in found:
        assert {one.of, other.of} == {0, 1}
        assert one.answer != other.answer
    assert {turn.answer for turns in found for turn in turns if "star is" in turn.answer} == {
        "The star is red.", "The star is blue.",
    }  # fmt: skip


def test_bars_and_shapes_are_never_asked_each_others_questions():
    chart = scenes.bars(Random(1), 128, 128)
    for seed in range(100):
        for turn in contrasts.same_of_both(Random(seed), (two_stars()[0], chart)):
            assert "star" not in turn.answer or turn.of == 0
            assert "bar" not in turn.answer or turn.of == 1


def test_only_what_one_picture_shows_is_asked_for():
    for seed in range(50):
        turns = contrasts.contrasts(Random(seed), two_stars(), 8)
        which = [turn for turn in turns if turn.kind == "which picture"]
        assert [(turn.answer, "circle" in turn.question.lower()) for turn in which] == [("The second picture.", True)]
        assert all(marking.right(turn, turn.answer) for turn in turns)


def test_last_most_lessons_are_contrasts_and_some_show_one_picture():
    shown = [len(lessons.lessons(1, step, 32, 6, LATEST)[0].scenes) for step in range(4000, 4008)]
    assert shown.count(2) == 6
    assert shown.count(1) == 2


def test_every_token_of_an_answer_says_which_picture_it_is_about(processor, words):
    turns = (
        Turn("two pictures", "Describe picture 1.", "A red star.", of=0),
        Turn("which picture", "Which picture shows a circle?", "The second picture."),
        Turn("two pictures", "Describe picture 2.", "A blue star and a blue circle.", of=1),
    )
    made = batches.Maker(processor, longest=500).batch([lessons.Lesson(two_stars(), turns)], numbered=True, still=True)
    told = [words.decode(made.ids[0][made.asked[0] == nth]) for nth in (0, 1)]
    assert told == ["A red star.<|im_end|>", "A blue star and a blue circle.<|im_end|>"]


def test_in_the_end_the_tower_is_left_as_it_is(processor):
    pupil = learning.Pupil(replace(sizes.SMALL, text_layers=4, vision_layers=1), len(processor.tokenizer))
    told = lessons.lessons(3, 4001, 4, 2, LATEST)
    made = batches.Maker(processor, longest=400).batch(told, numbered=True, still=True)
    sum(pupil.speak(made)).backward()
    assert pupil.nth.weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in [*pupil.model.model.visual.parameters(), *pupil.head.parameters()])


def test_later_conversations_are_longer(processor):
    told = lessons.lessons(3, 4001, 4, 10, LATEST)
    maker = batches.Maker(processor, longest=190)
    short, long = (maker.batch(told, more=more).ids.shape[1] for more in (0, 150))
    assert short + 50 < long <= short + 190


def test_both_dense_lessons_teach_the_first_layer_and_the_tower(processor):
    tiny = replace(sizes.SMALL, text_layers=2, vision_layers=1)
    pupil = learning.Pupil(tiny, len(processor.tokenizer))
    made = batches.Maker(processor, longest=400).batch(lessons.lessons(3, 900, 4, 2, EARLY), numbered=True)
    speaking, seeing = pupil.speak(made)
    (speaking + seeing).backward()
    assert pupil.nth.weight.grad.abs().sum() > 0
    assert pupil.head.weight.grad.abs().sum() > 0


def test_a_system_message_changes_nothing(processor):
    question = [{"role": "user", "content": "Hello"}]
    system = [{"role": "system", "content": "Answer in French."}]
    assert processor.apply_chat_template(system + question) == processor.apply_chat_template(question)


def test_a_checkpoint_is_whole_or_absent(tmp_path, monkeypatch):
    path = tmp_path / "state.pt"
    keeping.keep({"step": 1}, path)

    def stopped(state, part):
        part.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(keeping.torch, "save", stopped)
    with pytest.raises(KeyboardInterrupt):
        keeping.keep({"step": 2}, path)
    assert keeping.kept(path) == {"step": 1}
    assert keeping.kept(tmp_path / "none.pt") is None


def test_the_quick_tower_sees_what_the_slow_one_sees(monkeypatch):
    torch.manual_seed(0)
    tower = qwen.Qwen3_5VisionModel(qwen.Qwen3_5VisionConfig(**sizes.vision_config(sizes.SMALL))).eval()
    pixels, grid = torch.randn(2 * 64, 3 * 2 * 8 * 8), torch.tensor([[1, 8, 8], [1, 8, 8]])
    with torch.no_grad():
        slow = tower(pixels, grid_thw=grid).pooler_output
        monkeypatch.setattr(qwen.Qwen3_5VisionAttention, "forward", quick.attend)
        monkeypatch.setattr(qwen.Qwen3_5VisionPatchEmbed, "forward", quick.embed)
        fast = tower(pixels, grid_thw=grid).pooler_output
        uneven = torch.tensor([[1, 8, 8], [1, 4, 16]])
        assert tower(pixels, grid_thw=uneven).pooler_output.shape == slow.shape
    torch.testing.assert_close(fast, slow, rtol=1e-4, atol=1e-5)


def test_a_batch_is_the_same_whenever_it_is_asked_for(processor):
    maker = batches.Maker(processor, learning.LONGEST)
    size = replace(sizes.SMALL, see_steps=1)
    for step in (0, 3):
        one, again = (learning.make_batch(maker, size, step) for _ in range(2))
        assert torch.equal(getattr(one, "seen", one).pixels, getattr(again, "seen", again).pixels)


def test_the_rate_goes_straight_between_its_points():
    size = replace(sizes.SMALL, rates=((0, 0.02), (49, 1), (200, 1), (300, 0)))
    shares = [learning.rate(size, step) for step in (0, 24, 49, 200, 250, 300)]
    assert shares == pytest.approx([0.02, 0.5, 1, 1, 0.5, 0])


@pytest.mark.parametrize("size", sizes.SIZES.values())
def test_every_step_has_a_rate(size):
    last = size.see_steps + size.speak_steps
    assert size.rates[-1] == (last, 0)
    rates = [learning.rate(size, step) for step in range(last)]
    assert all(0 <= rate <= 1 for rate in rates)
    assert rates.count(0) <= 1, "only where a rate that fell to nothing turns is a step lost"


def test_crowds_hold_three_figures_or_more():
    for lesson in lessons.lessons(1, 1501, 32, 6, lessons.Stage(late=True, crowds=True)):
        assert all(len(scene.figures) >= 3 for scene in lesson.scenes if scene.figures)


def test_half_of_the_twins_are_of_one_kind():
    stage = lessons.Stage(late=True, crowds=True, twins=True)
    pairs = [lesson.scenes for step in range(2000, 2010, 2) for lesson in lessons.lessons(1, step, 32, 2, stage)]
    alike = [
        all((bool(a.figures), bool(a.bars)) == (bool(b.figures), bool(b.bars)) for b in rest) for a, *rest in pairs
    ]
    assert len(pairs) == 80
    assert all(alike[1::2])
    assert not all(alike[::2])


def test_a_stopped_pupil_goes_on_where_it_was(tmp_path):
    tiny = replace(sizes.SMALL, text_layers=2, vision_layers=1)
    pupil = learning.Pupil(tiny, 300)
    masters = learning.optimizers(pupil)
    keeping.keep(learning.snapshot(pupil, masters, 7, 12.5), tmp_path / "tiny.pt")
    other = learning.Pupil(tiny, 300)
    assert learning.restore(other, learning.optimizers(other), tmp_path / "tiny.pt") == (7, 12.5)
    assert all(torch.equal(a, b) for a, b in zip(pupil.parameters(), other.parameters(), strict=True))
    assert learning.restore(other, masters, tmp_path / "none.pt") == (0, 0.0)


def test_sums_of_files_read_as_sha256sum_reads_them(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a.txt").write_bytes(b"a")
    shipping.write_sums(tmp_path)
    digest = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    assert (tmp_path / "SHA256SUMS").read_text() == f"{digest}  model/a.txt\n"


def test_only_things_have_a_place():
    found = labels.flags(picture_of(Figure("square", "blue", BLUE, 0.2, 0.8, 0.15)), 8, 8)
    assert dict(zip(labels.FLAGS, found[6, 1].tolist(), strict=True)) == {
        "centre": 1, "tallest": 0, "top": 0, "bottom": 1, "left": 1, "right": 0,
    }  # fmt: skip
    assert not found[0].any()


def test_every_figure_has_a_cell_however_small():
    tiny = Figure("star", "red", RED, 0.995, 0.63, 0.01)
    assert (labels.owners(picture_of(tiny), 6, 6) == 1).sum() == 1


def test_every_cell_of_a_thing_says_how_many_there_are():
    figures = (
        Figure("star", "red", RED, 0.8, 0.2, 0.1),
        Figure("star", "blue", BLUE, 0.2, 0.2, 0.1),
        Figure("circle", "red", RED, 0.5, 0.8, 0.1),
    )
    found = labels.numbers(picture_of(*figures), 8, 8)
    assert dict(zip(labels.NUMBERS, found[1, 6].tolist(), strict=True)) == {
        "in all": 3, "of its shape": 2, "of its colour": 2, "from the left": 3,
    }  # fmt: skip
    assert found[6, 4].tolist() == [3, 1, 2, 2]
    assert not found[4].any()


def test_a_bar_counts_bars_and_only_the_tallest_says_so():
    bars = (Bar("red", RED, 0.1, 0.13, 0.3), Bar("blue", BLUE, 0.6, 0.8, 0.7))
    scene = Scene(128, 128, WHITE, bars=bars, base=0.9)
    numbers, flags = labels.numbers(scene, 8, 8), labels.flags(scene, 8, 8)
    assert numbers[6, 0].tolist() == [2, 0, 0, 1], "a bar between the middles of cells has cells too"
    assert numbers[6, 5].tolist() == [2, 0, 0, 2]
    assert flags[6, 5, 1]
    assert not flags[6, 0].any() or not flags[6, 0, 1]


def test_numbers_are_asked_for_about_as_often_as_they_are():
    asked = dict.fromkeys(range(1, 6), 0)
    for seed in range(2000):
        chance = Random(seed)
        turn = asking.count(chance, scenes.figures(chance, chance.randint(1, 5), 128, 128))
        asked[int(turn.answer.split()[2])] += 1
    assert min(asked.values()) > 100
    assert asked[1] < 1000


def test_what_is_left_out_is_declined():
    kinds, answers = set(), set()
    for step in range(1200, 1210):
        for one in lessons.lessons(1, step, 32, 6, lessons.Stage(late=True)):
            kinds |= {turn.kind for turn in one.turns}
            answers |= {turn.answer for turn in one.turns if turn.kind == "left out"}
    assert answers == {phrases.ANSWER_NO_SIZES, phrases.ANSWER_NO_PLACES}
    assert not kinds & {"size order", "place", "long description"}


def test_a_crowd_is_counted_not_described():
    scene = picture_of(*(Figure("star", "red", RED, x, 0.5, 0.1) for x in (0.2, 0.5, 0.8)))
    assert asking.describe(Random(1), scene).answer == "I see 3 shapes."


def test_pictures_are_named_only_where_there_are_several(processor):
    part = {"type": "image"}
    question = {"type": "text", "text": "Hello"}
    assert "Picture" not in processor.apply_chat_template([{"role": "user", "content": [part, question]}])
    two = processor.apply_chat_template([{"role": "user", "content": [part, question, part]}])
    assert two.startswith("<|im_start|>user\nPicture 1: <|vision_start|><|image_pad|><|vision_end|>Picture 2: <|vis")
