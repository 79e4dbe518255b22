"""What may be sent to a model, and in which form."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.asking import BLIND_NOTICE, checked, continued, conversation, fit_to, merge, refuse_unseen, unsayable
from playground.errors import PromptError
from playground.types import Image, Message, ModelSpec, Sampling

PICTURE = Image(b"png", "image/png", 1, 1, "ab" * 32)
BLIND = ModelSpec("blind", "Blind 1B", "replay")
SEEING = ModelSpec("seeing", "Seeing 2B", "replay", reads_images=True)
anything = st.text(st.characters(), max_size=200)  # with surrogates and NUL


@pytest.mark.parametrize("text", ["", " ", "\n\t ", "\u00a0"])
def test_a_prompt_without_words_or_images_is_refused(text: str):
    with pytest.raises(PromptError, match=r"empty.*Write a question"):
        checked(text, [])


def test_an_image_alone_is_a_prompt():
    assert checked(" ", [PICTURE]) == " "


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("a\x00b", "a\ufffdb"),
        ("a\ud83d", "a\ufffd"),
        ("\udfffb", "\ufffdb"),
        ("\x1b[1m bell \x07", "\x1b[1m bell \x07"),
        ("family 👨‍👩‍👧", "family 👨‍👩‍👧"),
    ],
)
def test_what_cannot_be_sent_is_replaced_and_the_rest_is_the_persons_own(text: str, sent: str):
    assert checked(text, []) == sent


@given(anything)
def test_any_prompt_can_be_written_as_utf8_and_keeps_its_length(text: str):
    sent = checked(text, [PICTURE])
    assert len(sent) == len(text)
    assert "\0" not in sent.encode("utf-8").decode("utf-8")


@given(anything, anything)
def test_any_system_prompt_and_any_earlier_answer_can_be_written_as_utf8(system: str, said: str):
    for message in conversation(system, (Message("assistant", said),), Message("user", "?")):
        message.text.encode("utf-8")


def test_a_megabyte_is_not_cut():
    assert len(checked("x" * 1_000_000, [])) == 1_000_000


def test_a_model_that_reads_images_gets_them():
    messages = (Message("user", "what is this?", (PICTURE,)),)
    assert fit_to(SEEING, messages) == (messages, "")


def test_a_model_that_does_not_read_images_gets_none_of_any_turn_and_says_so():
    messages = [
        Message("user", "what is this?", (PICTURE,)),
        Message("assistant", "a cat"),
        Message("user", "and these?", (PICTURE, PICTURE)),
    ]
    sent, notice = fit_to(BLIND, messages)
    assert [message.images for message in sent] == [(), (), ()]
    assert [message.text for message in sent] == ["what is this?", "a cat", "and these?"]
    assert notice == BLIND_NOTICE == "cannot see images, got the text only"


def test_a_model_that_loses_nothing_has_no_notice():
    messages = (Message("user", "what is 2 + 2?"),)
    assert fit_to(BLIND, messages) == (messages, "")


def test_a_picture_without_words_cannot_be_asked_of_a_model_that_does_not_see():
    picture = Message("user", " \n", (PICTURE,))
    (blind,), _ = fit_to(BLIND, [picture])
    assert unsayable(BLIND, picture, blind).startswith("Blind 1B cannot see images, and the prompt has no text. Write")
    (seen,), _ = fit_to(SEEING, [picture])
    assert unsayable(SEEING, picture, seen) == ""


def test_a_picture_with_words_can_be_asked_of_any_model():
    asked = Message("user", "What is this?", (PICTURE,))
    (sent,), _ = fit_to(BLIND, [asked])
    assert unsayable(BLIND, asked, sent) == ""


@pytest.mark.parametrize("pair", [(SEEING, BLIND), (BLIND, SEEING), (SEEING, SEEING)])
def test_images_are_sent_when_one_model_of_the_pair_reads_them(pair: tuple[ModelSpec, ModelSpec]):
    refuse_unseen(pair, [BLIND, SEEING])


def test_images_that_nobody_reads_are_refused_with_the_models_that_would():
    other = ModelSpec("other", "Other 3B", "replay")
    with pytest.raises(PromptError, match=r"Blind 1B and Other 3B cannot see images, so nothing was sent.*: Seeing 2B"):
        refuse_unseen([BLIND, other], [BLIND, other, SEEING])


def test_of_many_models_that_read_images_a_few_are_named():
    many = [replace(SEEING, title=f"Seeing {n}B") for n in range(1, 41)]
    with pytest.raises(PromptError, match=r": Seeing 1B, Seeing 2B, Seeing 3B, or one of 37 others\.$"):
        refuse_unseen([BLIND, BLIND], many)


def test_images_that_no_model_reads_are_refused_with_the_way_to_add_one():
    with pytest.raises(PromptError, match=r"^Blind 1B cannot see images.*--models"):
        refuse_unseen([BLIND, BLIND], [BLIND])


def test_what_was_asked_wins_over_what_the_makers_recommend():
    asked = Sampling(temperature=0.0, max_tokens=9, thinking=False)
    recommended = Sampling(temperature=0.7, top_p=0.9, seed=3, thinking=True)
    assert merge(asked, recommended) == Sampling(temperature=0.0, top_p=0.9, max_tokens=9, seed=3, thinking=False)


def test_nothing_asked_and_nothing_recommended_leaves_the_choice_to_the_server():
    assert merge(Sampling(), Sampling()) == Sampling()


def test_a_conversation_is_the_system_prompt_the_turns_so_far_and_the_new_one():
    turns = (Message("user", "2 + 2?"), Message("assistant", "4"))
    now = Message("user", "and 3 + 3?")
    assert conversation(" Be brief. ", turns, now) == (Message("system", "Be brief."), *turns, now)


@pytest.mark.parametrize("system", ["", "  \n"])
def test_an_empty_system_prompt_is_not_sent(system: str):
    assert conversation(system, (), Message("user", "?")) == (Message("user", "?"),)


def test_a_conversation_as_one_text_has_each_answer_behind_what_it_continued():
    turns = (Message("user", "One, two"), Message("assistant", ", three."), Message("user", "Four, "))
    assert continued(turns) == "One, two, three.\n\nFour, "
    assert continued((Message("system", "Count."), *turns)) == "Count.\n\nOne, two, three.\n\nFour, "
    assert continued(()) == ""
