"""Models files: what they may hold, and what is said about each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from playground import catalog
from playground.catalog import Catalog
from playground.errors import CatalogError
from playground.types import ModelSpec, Sampling

LEAST = 'key = "m"\ntitle = "M"\nengine = "llama.cpp"\nsource = "file:m.gguf"\n'


def write(*tables: str, name: str = "mine.toml") -> Path:
    path = Path(name)
    path.write_text("".join(f"[[model]]\n{table}\n" for table in tables), encoding="utf-8")
    return path


def complaint(path: Path) -> str:
    with pytest.raises(CatalogError) as caught:
        catalog.read(path)
    return str(caught.value)


def test_the_built_in_file_loads_and_has_the_two_models_that_work_anywhere():
    rows = catalog.load()
    assert rows.row("smollm2-135m-q4").engine == "llama.cpp"
    assert rows.row("smollm2-135m").engine == "transformers"
    assert rows.own == frozenset()
    assert len(rows) == len(list(rows))


def test_a_row_has_every_field_that_a_model_has():
    path = write(
        LEAST + "base_url = 'http://127.0.0.1:1/v1'\napi_key_env = 'KEY'\nrevision = 'r1'\nquantization = '4 bit'\n"
        "reads_images = true\nthinking = true\ncontext_tokens = 4096\nparameters_b = 0.5\n"
        "requests_at_once = 8\n"
        "sampling = {temperature = 1, top_p = 0.5, max_tokens = 9, seed = 0, thinking = false}\n"
    )
    sampling = Sampling(temperature=1, top_p=0.5, max_tokens=9, seed=0, thinking=False)
    address, origin = ("http://127.0.0.1:1/v1", "KEY"), ("r1", "4 bit")
    assert catalog.read(path) == [
        ModelSpec("m", "M", "llama.cpp", "file:m.gguf", *address, *origin, True, True, 4096, 0.5, sampling, 8)
    ]


def test_capabilities_that_a_row_does_not_name_are_off():
    (row,) = catalog.read(write(LEAST))
    assert (row.reads_images, row.thinking, row.context_tokens, row.sampling) == (False, False, None, Sampling())


def test_an_empty_file_has_no_rows():
    assert catalog.read(write()) == []


def test_own_rows_come_first_and_win_over_the_built_in_ones():
    own = write(LEAST, 'key = "smollm2-135m"\ntitle = "Mine"\nengine = "openai"\nbase_url = "http://127.0.0.1:1"\n')
    rows = catalog.load(own)
    assert [row.key for row in rows][:2] == ["m", "smollm2-135m"]
    assert rows.row("smollm2-135m").title == "Mine"
    assert len(rows) == len(catalog.load()) + 1
    assert rows.own == {"m", "smollm2-135m"}
    assert "smollm2-135m-q4" in rows
    assert "smollm3" not in rows


NO_ENGINE = 'key = "m"\ntitle = "M"\n'
MISTAKES = {
    "no key": ("title = 'M'\nengine = 'replay'\nsource = 's'", "(no key)", "`key` is missing"),
    "empty key": ("key = ''\ntitle = 'M'\nengine = 'replay'\nsource = 's'", "`key` is missing"),
    "no title": ("key = 'm'\nengine = 'replay'\nsource = 's'", "(m)", "`title` is missing"),
    "no engine": (NO_ENGINE, "`engine` is missing"),
    "unknown engine": (NO_ENGINE + "engine = 'vllm'", "`engine` is 'vllm'", "openai, transformers, llama.cpp, replay"),
    "openai without address": (NO_ENGINE + "engine = 'openai'\nsource = 's'", "`base_url` is missing"),
    "llama.cpp without source": (NO_ENGINE + "engine = 'llama.cpp'", "`source` is missing"),
    "transformers without source": (NO_ENGINE + "engine = 'transformers'", "`source` is missing"),
    "replay without source": (NO_ENGINE + "engine = 'replay'", "`source` is missing"),
    "unknown field": (
        LEAST + "colour = 'red'",
        "unknown field `colour`",
        "Known fields: active_parameters_b, adapter, api_key_env, base_url",
    ),
    "misspelt field": (LEAST + "context_token = 1", "unknown field `context_token`", "Did you mean `context_tokens`?"),
    "text for a number": (LEAST + "context_tokens = '8k'", "`context_tokens` must be a whole number, not '8k'"),
    "fraction for a whole": (LEAST + "context_tokens = 1.5", "`context_tokens` must be a whole number, not 1.5"),
    "negative": (LEAST + "context_tokens = -1", "`context_tokens` must be a whole number, not -1"),
    "truth for a number": (LEAST + "parameters_b = true", "`parameters_b` must be a number, not True"),
    "no place": (LEAST + "requests_at_once = 0", "`requests_at_once` must be a whole number from 1, not 0"),
    "truth for a whole": (LEAST + "context_tokens = true", "`context_tokens` must be a whole number, not True"),
    "no number": (LEAST + "parameters_b = nan", "`parameters_b` must be a number, not nan"),
    "endless number": (LEAST + "parameters_b = inf", "`parameters_b` must be a number, not inf"),
    "text for truth": (LEAST + "reads_images = 'yes'", "`reads_images` must be true or false, not 'yes'"),
    "number for truth": (LEAST + "thinking = 1", "`thinking` must be true or false, not 1"),
    "number for text": ("key = 5\ntitle = 'M'\nengine = 'replay'\nsource = 's'", "(5)", "`key` must be text, not 5"),
    "list for text": (LEAST + "revision = ['a']", "`revision` must be text, not ['a']"),
    "sampling is text": (LEAST + "sampling = 'hot'", "`sampling` must be a table"),
    "unknown sampling": (
        LEAST + "sampling = {topp = 5}",
        ", sampling: unknown field `topp`",
        "Did you mean `top_p`?",
    ),
    "hot as text": (LEAST + "sampling = {temperature = 'hot'}", "sampling: `temperature` must be a number, not 'hot'"),
    "no seed": (LEAST + "sampling = {seed = -1}", "sampling: `seed` must be a whole number, not -1"),
    "nested sampling": (LEAST + "sampling = {sampling = {seed = 1}}", "sampling: unknown field `sampling`"),
}


@pytest.mark.parametrize("table", MISTAKES)
def test_a_mistake_is_named_with_its_file_row_and_field(table: str):
    bad, *said = MISTAKES[table]
    found = complaint(write(LEAST.replace('"m"', '"good"'), bad))
    assert "mine.toml, row 2" in found
    for part in said:
        assert part in found


def test_a_key_used_twice_is_named_with_both_rows():
    found = complaint(write(LEAST, LEAST.replace('"m"', '"n"'), LEAST))
    assert found == "mine.toml, row 3: `key` 'm' is already used by row 1."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[model]\n", "not valid TOML"),
        ("[[model]]\nkey = 'm'\nkey = 'n'\n", "not valid TOML"),
        ("[model]\nkey = 'm'\n", "holds [[model]] tables only"),
        ("model = [1]\n", "holds [[model]] tables only"),
        ("[[models]]\nkey = 'm'\n", "has models; a models file holds [[model]] tables only"),
        ("title = 'x'\n" + LEAST, "not valid TOML"),
    ],
)
def test_a_file_of_another_shape_is_named(text: str, said: str):
    path = Path("mine.toml")
    path.write_text(text, encoding="utf-8")
    found = complaint(path)
    assert "mine.toml" in found
    assert said in found


def test_a_file_that_is_not_text_is_named():
    Path("mine.toml").write_bytes(b"\xff\xfe\x00")
    assert "mine.toml is not valid TOML" in complaint(Path("mine.toml"))


def test_a_file_that_is_not_there_or_is_a_folder_is_named_with_the_flag():
    Path("folder").mkdir()
    for name in ("nowhere.toml", "folder"):
        found = complaint(Path(name))
        assert name in found
        assert "Check --models" in found


def test_the_mark_that_windows_editors_put_first_is_not_a_mistake():
    Path("mine.toml").write_bytes(b"\xef\xbb\xbf[[model]]\n" + LEAST.encode())
    assert [row.key for row in catalog.read(Path("mine.toml"))] == ["m"]


ROWS = Catalog([ModelSpec(key, key, "replay") for key in ("qwen3.5-9b", "qwen3.5-4b", "gpt-oss-120b")])


def test_an_unknown_key_is_answered_with_the_nearest_ones():
    with pytest.raises(CatalogError, match=r"'qwen3.5-9'.*Did you mean qwen3\.5-9b or qwen3\.5-4b\?"):
        ROWS.row("qwen3.5-9")


def test_a_key_like_no_other_is_answered_with_all_there_are():
    with pytest.raises(CatalogError, match=r"There are: qwen3\.5-9b, qwen3\.5-4b, gpt-oss-120b\."):
        ROWS.row("zzz")


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ('engine = "llama.cpp"\nadapter = "./a"', "`adapter` is for the engine transformers; llama.cpp has no use"),
        ('engine = "transformers"\nadapter = "mine"', "`adapter` is 'mine'; it must be a folder, such as ./my-adapter"),
        ('engine = "transformers"\nadapter = "https://x.org/a"', "`adapter` is 'https://x.org/a'; it must be a folder"),
        ('engine = "transformers"\nadapter = 3', "`adapter` must be text, not 3"),
        ('engine = "transformers"\nadaptor = "./a"', "unknown field `adaptor`. Did you mean `adapter`?"),
    ],
)
def test_a_wrong_adapter_is_told_with_file_row_and_field(tmp_path: Path, said: str, problem: str):
    file = tmp_path / "mine.toml"
    file.write_text(f'[[model]]\nkey = "tuned"\ntitle = "Tuned"\nsource = "org/base"\n{said}\n')
    with pytest.raises(CatalogError) as error:
        catalog.read(file)
    assert str(error.value).startswith(f"{file}, row 1 (tuned): {problem}")


@pytest.mark.parametrize("adapter", ["./a", "~/a", "/srv/a", "org/a-lora", "C:\\\\a"])
def test_an_adapter_is_a_folder_or_a_repository(tmp_path: Path, adapter: str):
    file = tmp_path / "mine.toml"
    file.write_text(f'[[model]]\nlike = "base"\nkey = "tuned"\ntitle = "Tuned"\nadapter = "{adapter}"\n')
    base = ModelSpec("base", "Base", "transformers", source="org/base")
    assert catalog.read(file, [base])[0].adapter == adapter.replace("\\\\", "\\")
