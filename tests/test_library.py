"""What is true of the prompt files: how they are read, how a mistake in one is named, and what the project ships."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import PIL.Image
import PIL.ImageChops
import PIL.ImageStat
import pytest

from playground import images, library
from playground.errors import LibraryError
from playground.types import Prompt

SHIPPED = Path(__file__).parents[1] / "prompts"
GOOD = 'subject = "Code"\n[[prompt]]\nid = "code-01"\ntext = "Sort."\n'


def write(folder: Path, text: str, name: str = "code.toml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(LibraryError) as caught:
        library.load(folder)
    return str(caught.value)


def test_every_field_is_read(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "map.png").write_bytes(b"not opened here")
    write(
        tmp_path,
        """subject = "Charts"
        [[prompt]]
        id = "charts-01"
        text = '''
        Where is north?
        '''
        system = "Be brief."
        images = ["images/map.png"]
        look_for = "Up."
        """,
    )
    assert library.load(tmp_path) == (
        Prompt(
            text="Where is north?",
            images=(tmp_path / "images" / "map.png",),
            system="Be brief.",
            id="charts-01",
            subject="Charts",
            look_for="Up.",
        ),
    )


def test_files_come_by_name_and_prompts_as_written(tmp_path: Path) -> None:
    two = '[[prompt]]\nid = "{0}-2"\ntext = "x"\n[[prompt]]\nid = "{0}-1"\ntext = "y"\n'
    for name in ("b", "a", "10-z"):
        write(tmp_path, f'subject = "{name}"\n' + two.format(name), f"{name}.toml")
    ids = [prompt.id for prompt in library.load(tmp_path)]
    assert ids == ["10-z-2", "10-z-1", "a-2", "a-1", "b-2", "b-1"]


def test_a_folder_without_prompts_gives_none(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no prompt")
    assert library.load(tmp_path) == ()


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    assert "There is no folder" in refusal(tmp_path / "none")


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    assert library.load(write(tmp_path, "\ufeff" + GOOD))[0].id == "code-01"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            GOOD + 'loook_for = "x"',
            "code.toml, prompt 1 (code-01): unknown field `loook_for`. Did you mean `look_for`?",
        ),
        (GOOD + "zzz = 1", "code.toml, prompt 1 (code-01): unknown field `zzz`. Known fields: id, text"),
        ('subjekt = "x"\n' + GOOD, "code.toml: unknown field `subjekt`. Did you mean `subject`?"),
        ('[[prompt]]\nid = "a"\ntext = "b"', "code.toml: the field `subject` must be there"),
        ('subject = 3\n[[prompt]]\nid = "a"\ntext = "b"', "code.toml: the field `subject` must be there and be text"),
        ('subject = "x"\nprompt = 3', "code.toml: `prompt` must be [[prompt]] tables"),
        ('subject = "x"\n[prompt]\nid = "a"', "code.toml: `prompt` must be [[prompt]] tables"),
        ('subject = "x"\n[[prompt]]\ntext = "b"', "code.toml, prompt 1 (no id): the field `id` is missing"),
        (GOOD + '[[prompt]]\nid = "b"', "code.toml, prompt 2 (b): the field `text` is missing"),
        (GOOD + '[[prompt]]\nid = "b"\ntext = " "', "code.toml, prompt 2 (b): the field `text` is missing or empty"),
        (GOOD + '[[prompt]]\nid = "b"\ntext = ["x"]', "code.toml, prompt 2 (b): `text` must be text, not ['x']"),
        (GOOD + "system = true", "code.toml, prompt 1 (code-01): `system` must be text, not True"),
        (GOOD + '[[prompt]]\nid = "typed"\ntext = "b"', "`id` 'typed' means a prompt that was typed"),
        (GOOD + 'images = "a.png"', "code.toml, prompt 1 (code-01): `images` must be a list"),
        (GOOD + "images = [1]", "code.toml, prompt 1 (code-01): `images` must be a list"),
        (GOOD + 'images = ["a.png"]', "code.toml, prompt 1 (code-01): `images` has 'a.png', which is not a file"),
        (GOOD + 'images = [""]', "which is not a file"),
        (GOOD + 'images = ["../a.png"]', "'../a.png', which is outside the prompts folder"),
        (GOOD + 'images = ["/etc/hostname"]', "which is outside the prompts folder"),
        (GOOD + 'images = ["a\\u0000.png"]', r"`images` has 'a\x00.png', which "),
        (GOOD + f'images = ["{"a" * 300}.png"]', "code.toml, prompt 1 (code-01): `images` has 'aaa"),
        ("subject = ", "code.toml is not valid TOML: Invalid value (at"),
        ("subject = " + "9" * 5000, "code.toml is not valid TOML"),
        ("subject = " + "[" * 5000, "code.toml is not valid TOML"),
        (GOOD + GOOD.split("\n", 1)[1], "code.toml, prompt 2 (code-01): `id` is already used in code.toml"),
    ],
)
def test_a_mistake_is_named_with_file_prompt_and_field(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(write(tmp_path, text))


def test_an_id_is_used_once_in_all_files(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "a.toml")
    said = refusal(write(tmp_path, GOOD, "b.toml"))
    assert said == "b.toml, prompt 1 (code-01): `id` is already used in a.toml. Give it another."


def test_bytes_that_are_no_text_and_a_folder_with_a_files_name_are_named(tmp_path: Path) -> None:
    (tmp_path / "code.toml").write_bytes(b'subject = "\xff"')
    assert "code.toml is not valid TOML" in refusal(tmp_path)
    (tmp_path / "code.toml").unlink()
    (tmp_path / "code.toml").mkdir()
    assert "code.toml cannot be read: Is a directory" in refusal(tmp_path)


def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    folder = tmp_path / "prompts"
    folder.mkdir()
    (folder / "a.png").symlink_to(tmp_path / "secret")
    assert "outside the prompts folder" in refusal(write(folder, GOOD + 'images = ["a.png"]'))


# --- what the project ships ---------------------------------------------------------------------------------------


def test_the_shipped_library_is_large_enough_and_starts_with_everyday_things() -> None:
    prompts = library.load(SHIPPED)
    assert len(prompts) >= 30
    assert len({prompt.subject for prompt in prompts}) >= 7
    assert prompts[0].subject == "Everyday"
    assert not prompts[0].images


def test_every_shipped_prompt_says_what_to_look_for_in_one_sentence() -> None:
    for prompt in library.load(SHIPPED):
        assert prompt.look_for.endswith("."), prompt.id
        assert len(prompt.look_for) <= 300, prompt.id


def test_every_shipped_picture_is_used_small_and_sent_as_it_is() -> None:
    used = {path for prompt in library.load(SHIPPED) for path in prompt.images}
    drawn = set((SHIPPED / "images").glob("*.png"))
    assert not {path.name for path in drawn - used if not path.name.startswith("shapes-")}
    for path in used:
        assert path.stat().st_size < 60_000, path.name
        assert max(images.prepare(path).width, images.prepare(path).height) <= images.MAX_SIDE_PX


def test_the_shipped_pictures_are_those_the_script_draws(tmp_path: Path) -> None:
    for name in ("draw.py", "sheet.py"):
        shutil.copy(SHIPPED / name, tmp_path)
    subprocess.run([sys.executable, tmp_path / "draw.py"], check=True, cwd=tmp_path)
    drawn = sorted((tmp_path / "images").iterdir())
    assert len(drawn) >= 15
    for path in drawn:
        with PIL.Image.open(path) as new, PIL.Image.open(SHIPPED / "images" / path.name) as shipped:
            difference = PIL.ImageChops.difference(new.convert("RGB"), shipped.convert("RGB"))
        # Other versions of Pillow's font renderer may move a grey pixel; another drawing differs by far more.
        assert max(PIL.ImageStat.Stat(difference).mean) < 1, path.name
