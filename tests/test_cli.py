"""The command line: exit codes, the JSON that programs read, and the table that people read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from playground import cli, meter, parts, report, settings
from playground.settings import ROOT, Settings
from playground.types import Interference, Timing
from tests.patience import LIMIT_S

SIDE_KEYS = [
    *"model status text reasoning error notice finish_reason cold contended images_sent".split(),  # noqa: SIM905 - as the issue lists them
    *("threads", "timing", "usage", "memory", "interference"),
]
TIMING_KEYS = (
    "load_s ttft_s ttfa_s total_s decode_tokens_per_s chars_per_s chunk_gap_p50_s chunk_gap_p95_s decode_reason".split()  # noqa: SIM905 - as the issue lists them
)


@pytest.fixture(autouse=True)
def sigterm() -> Iterator[None]:
    """The command line takes SIGTERM for itself; it is given back."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def models() -> str:
    """A models file with recordings: `small` and `large` answer, `seeing` reads images, `broken` fails half way."""
    usage = {"prompt_tokens": 9, "answer_tokens": 2}
    record("small", [[0.0, "reasoning", "hm "], [0.01, "text", "Hello "], [0.08, "text", "you"]], usage=usage)
    record("large", [[0.0, "text", "Good day – 👋"]], usage=usage)
    record("seeing", [[0.0, "text", "A cat."]])
    record("broken", [[0.0, "text", "Hel"]], error="The server said 500. Retry this side.")
    keys = ["small", "large", "seeing", "broken"]
    rows = (
        f'[[model]]\nkey = "{key}"\ntitle = "{key.title()}"\nengine = "replay"\nsource = "{key}.json"\n'
        f"reads_images = {str(key == 'seeing').lower()}\n"
        for key in keys
    )
    Path("mine.toml").write_text("\n".join(rows), encoding="utf-8")
    return "mine.toml"


def record(key: str, events: list[list[object]], **about: object) -> None:
    answers = [{"match": "", "events": events, "finish_reason": "stop", **about}]
    Path(f"{key}.json").write_text(json.dumps({"schema": 1, "answers": answers}), encoding="utf-8")


Run = Any


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], models: str) -> Run:
    """Runs one command in this process; returns exit code, standard output and standard error."""

    def run(*argv: str) -> tuple[int, str, str]:
        try:
            code = cli.main([*argv, "--models", models])
        except SystemExit as exit:  # argparse leaves this way
            code = int(exit.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def ask(left: str = "small", right: str = "large", *more: str, prompt: str = "Say hello.") -> tuple[str, ...]:
    return ("ask", prompt, "--left", left, "--right", right, *more)


# -- ask --json --


def test_ask_prints_one_json_object_with_exactly_the_promised_keys(run: Run):
    code, out, err = run(*ask("small", "large", "--json"))
    found = json.loads(out)
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert list(found) == ["schema", "pacing", "first_side", "left", "right"]
    assert found["schema"] == 1
    for side in ("left", "right"):
        assert list(found[side]) == SIDE_KEYS
        assert list(found[side]["timing"]) == TIMING_KEYS == list(Timing.__dataclass_fields__)
        assert list(found[side]["usage"]) == list(report.USAGE)
        assert list(found[side]["memory"]) == [
            *("weights_bytes", "peak_bytes", "device_peak_bytes", "process_bytes", "method")
        ]
        assert list(found[side]["interference"]) == ["disturbed", *Interference.__dataclass_fields__]


def test_ask_tells_both_answers_with_thinking_apart_and_what_is_unknown_as_null(run: Run):
    found = json.loads(run(*ask("small", "large", "--json"))[1])
    left, right = found["left"], found["right"]
    assert (left["model"], left["status"], left["reasoning"], left["text"]) == ("small", "done", "hm ", "Hello you")
    assert (right["model"], right["text"], right["finish_reason"]) == ("large", "Good day – 👋", "stop")
    assert left["usage"] == {
        "prompt_tokens": 9,
        "reasoning_tokens": None,
        "answer_tokens": 2,
        "output_tokens": 2,
        "cached_tokens": None,
        "source": "server",
    }
    assert left["timing"]["total_s"] >= left["timing"]["ttfa_s"] >= left["timing"]["ttft_s"] >= 0
    assert (right["timing"]["decode_tokens_per_s"], right["timing"]["decode_reason"]) == (None, meter.SHORT)
    assert (left["memory"]["peak_bytes"], left["error"], left["images_sent"]) == (None, None, 0)


@pytest.mark.parametrize(
    ("flags", "pacing"),
    [(["--pacing", "in-turn"], "in_turn"), (["--pacing", "together"], "together"), ([], "together")],
)
def test_the_pacing_is_the_one_asked_for_or_together_when_nothing_runs_here(run: Run, flags: list[str], pacing: str):
    found = json.loads(run(*ask("small", "large", "--json", *flags))[1])
    assert (found["pacing"], found["first_side"]) == (pacing, "left")


def test_when_a_side_failed_both_are_printed_and_the_exit_code_is_one(run: Run):
    code, out, _ = run(*ask("broken", "large", "--json"))
    found = json.loads(out)
    assert code == 1
    assert (found["left"]["status"], found["left"]["text"]) == ("failed", "Hel")
    assert found["left"]["error"] == "The server said 500. Retry this side."
    assert (found["right"]["status"], found["right"]["text"]) == ("done", "Good day – 👋")


def test_both_sides_may_fail_and_are_still_printed(run: Run):
    code, out, _ = run(*ask("broken", "broken", "--json"))
    assert code == 1
    assert [json.loads(out)[side]["status"] for side in ("left", "right")] == ["failed", "failed"]


def test_a_recording_that_is_not_there_is_that_sides_failure(run: Run):
    Path("small.json").unlink()
    code, out, _ = run(*ask("small", "large", "--json"))
    assert code == 1
    assert "small.json" in json.loads(out)["left"]["error"]
    assert json.loads(out)["right"]["status"] == "done"


def test_a_model_that_reads_images_gets_them_and_the_other_gets_the_text_only(run: Run):
    PIL.Image.new("RGB", (9, 9), "red").save("red.png")
    code, out, _ = run(*ask("seeing", "large", "--json", "--image", "red.png", "--image", "red.png"))
    found = json.loads(out)
    assert code == 0
    assert (found["left"]["images_sent"], found["right"]["images_sent"]) == (2, 0)


def test_every_sampling_flag_is_taken(run: Run):
    flags = "--max-tokens 5 --temperature 0.5 --top-p 0.9 --seed 0 --no-thinking --system Brief. --threads 1".split()  # noqa: SIM905
    assert run(*ask("small", "large", *flags))[0] == 0


@pytest.mark.parametrize(("flags", "threads"), [([], None), (["--threads", "3"], 3)])
def test_without_a_page_models_may_use_every_cpu(
    run: Run, monkeypatch: pytest.MonkeyPatch, flags: list[str], threads: int | None
):
    told: list[Settings] = []
    assemble = parts.assemble
    monkeypatch.setattr(parts, "assemble", lambda settings: told.append(settings) or assemble(settings))
    assert run(*ask("small", "large", *flags))[0] == 0
    assert [(each.page, each.threads) for each in told] == [(False, threads)]
    assert settings.read([], {}).page


# -- ask, for people --


def test_the_table_shows_both_answers_and_every_figure_of_both(run: Run):
    code, out, _ = run(*ask())
    assert code == 0
    for part in (
        "left: small (done)",
        "thinking: hm",
        "Hello you",
        "right: large (done)",
        "Good day – 👋",
        "elsewhere",
    ):
        assert part in out
    for name in ("first token", "total", "speed", "peak memory"):
        assert sum(line.startswith(name) for line in out.splitlines()) == 1
    assert "at the same time, left first" in out


def test_the_table_shows_a_failure_with_its_next_step_and_the_other_answer(run: Run):
    code, out, _ = run(*ask("broken", "large"))
    assert code == 1
    for part in ("left: broken (failed)", "Hel", "The server said 500. Retry this side.", "Good day – 👋"):
        assert part in out


def test_the_table_says_that_a_model_could_not_see_the_image(run: Run):
    PIL.Image.new("RGB", (9, 9), "red").save("red.png")
    _, out, _ = run(*ask("seeing", "large", "--image", "red.png"))
    assert out.count("cannot see images, got the text only") == 1


# -- wrong usage --

WRONG = {
    "no command": ([], "COMMAND"),
    "unknown command": (["compare"], "compare"),
    "no prompt": (["ask", "--left", "small", "--right", "large"], "PROMPT"),
    "no right model": (["ask", "hi", "--left", "small"], "--right"),
    "unknown model": (ask("smal", "large"), "Did you mean small"),
    "unknown model on the right": (ask("small", "larg"), "Did you mean large"),
    "empty prompt": (ask(prompt="  "), "The prompt is empty"),
    "unknown pacing": (ask("small", "large", "--pacing", "slow"), "in-turn"),
    "no tokens": (ask("small", "large", "--max-tokens", "0"), "must be 1 or more"),
    "tokens in words": (ask("small", "large", "--max-tokens", "many"), "--max-tokens"),
    "too hot": (ask("small", "large", "--temperature", "3"), "must be from 0 to 2"),
    "no temperature": (ask("small", "large", "--temperature", "nan"), "must be from 0 to 2"),
    "negative seed": (ask("small", "large", "--seed", "-1"), "--seed"),
    "no such image": (ask("seeing", "large", "--image", "nowhere.png"), "nowhere.png"),
    "not an image": (ask("seeing", "large", "--image", "mine.toml"), "mine.toml"),
    "unknown flag": (ask("small", "large", "--colour"), "--colour"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_usage_exits_with_two_says_what_is_wrong_and_prints_no_answer(run: Run, what: str):
    argv, said = WRONG[what]
    code, out, err = run(*argv)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_an_image_that_neither_model_reads_is_not_sent_and_models_that_do_are_named(run: Run):
    PIL.Image.new("RGB", (9, 9), "red").save("red.png")
    code, out, err = run(*ask("small", "large", "--image", "red.png"))
    assert (code, out) == (2, "")
    assert "Choose one that does: Seeing" in err


def test_a_wrong_models_file_is_named_with_row_and_field(run: Run):
    Path("mine.toml").write_text("[[model]]\nkey = 'm'\ntitle = 'M'\nengine = 'vllm'\n")
    code, _, err = run("models")
    assert code == 2
    assert "mine.toml, row 1 (m): `engine` is 'vllm'" in err


def test_a_wrong_environment_variable_is_named(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PLAYGROUND_THREADS", "all")
    code, _, err = run("models")
    assert code == 2
    assert "PLAYGROUND_THREADS: 'all' is not a whole number from 1 on" in err


# -- models --


def test_models_lists_own_rows_first_for_people(run: Run):
    code, out, _ = run("models")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["key", "title", "engine", "reads_images", "context_tokens", "needs", "fit", "state"]
    assert lines[1].split() == ["small", "Small", "replay", "no", "–", "–", "elsewhere", "elsewhere"]
    assert any(line.startswith("smollm2-135m-q4 ") for line in lines)


def test_models_lists_every_row_as_one_json_object(run: Run):
    code, out, _ = run("models", "--json")
    found = json.loads(out)
    assert (code, out.count("\n"), found["schema"]) == (0, 1, 1)
    assert [row["key"] for row in found["models"]][:4] == ["small", "large", "seeing", "broken"]
    assert found["models"][2]["reads_images"] is True
    assert {row["state"] for row in found["models"]} <= {"not_loaded", "elsewhere"}
    by_key = {row["key"]: row["fit"] for row in found["models"]}
    assert (by_key["small"]["where"], by_key["small"]["weights_bytes"]) == ("elsewhere", None)
    assert by_key["qwen3.5-9b-bf16"]["weights_bytes"] == 18_819_627_488
    assert set(by_key["qwen3.5-9b-bf16"]) >= {"verdict", "kv_bytes", "overhead_bytes", "free_bytes", "next_step", "why"}


def test_the_models_file_may_come_from_the_environment(capsys: pytest.CaptureFixture[str], models: str, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_MODELS", models)
    assert cli.main(["models", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["models"][0]["key"] == "small"


# -- as a program --


def test_python_m_playground_is_the_same_command_line(models: str):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "playground", *ask("broken", "large", "--json"), "--models", models]
    done = subprocess.run(command, capture_output=True, timeout=LIMIT_S, env=env, check=False)
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["right"]["text"] == "Good day – 👋"


def test_ctrl_c_ends_with_130_and_a_word(run: Run, monkeypatch: pytest.MonkeyPatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.parts, "assemble", interrupted)
    code, out, err = run("models")
    assert (code, out, err) == (130, "", "playground: stopped\n")
