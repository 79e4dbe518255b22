"""Which files of this machine the page hands out by their paths."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests import site
from tests.patience import LIMIT_S

PROMPTS = site.ROOT / "prompts"


def test_of_the_folder_of_prompts_only_their_pictures_are_served(tmp_path: Path) -> None:
    row = site.model(tmp_path, "one", [{"match": "", "events": [[0, "text", "Red."]]}])
    with site.app(tmp_path, row, "--left", "one", "--right", "one") as url:
        answers = {
            name: httpx.get(f"{url}gradio_api/file={PROMPTS / name}", timeout=LIMIT_S)
            for name in ("images/charts-01.png", "06-charts.toml", "draw.py", "images/../draw.py", "../app.py")
        }
    assert answers.pop("images/charts-01.png").content == (PROMPTS / "images" / "charts-01.png").read_bytes()
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 403)
