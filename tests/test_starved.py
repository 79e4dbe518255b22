"""Programs whose memory ran out are understood, by their last words and by how the kernel ends them."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from playground import catalog, starved
from playground import pool as pools
from playground.catalog import Catalog
from playground.compare import Race
from playground.engines.llama import LlamaEngine
from playground.engines.worker import Worker
from playground.entrant import Entrant
from playground.pool import Pool
from playground.settings import Settings
from playground.types import Comparison, Message, ModelSpec, Sampling
from tests.patience import eventually
from tests.weights_fixture import smollm2_cache

__all__ = ["smollm2_cache"]
FAKE = Path(__file__).parent / "engines" / "fake_server_child.py"


@pytest.mark.parametrize(
    "said",
    [
        "M's process was killed by signal 9: most likely out of memory.",
        'It said "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB".',
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes",
        "llama_model_load: failed to allocate buffer",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "MemoryError",
    ],
)
def test_programs_whose_memory_ran_out_are_understood(said: str):
    assert starved.ran_out(said)


def test_other_failures_are_not_taken_for_it():
    assert not starved.ran_out("M's process crashed with SIGSEGV. Ask again to start it anew.")
    assert not starved.ran_out("M's process was killed by signal 9, by another program or a person.")


def test_of_a_log_the_line_that_says_so_is_quoted():
    log = ["starting", "ggml_aligned_malloc: insufficient memory (attempted to allocate  41.96 MB)", "aborted"]
    assert starved.line(log) == log[1]
    assert starved.line(["starting", "aborted"]) == ""


# --- real programs --------------------------------------------------------------------------------------------------

Q4 = catalog.load().row("smollm2-135m-q4")
OTHER = replace(Q4, key="other", title="Other", context_tokens=2048)
ROWS = Catalog([Q4, OTHER])
GROUPS = Path("/sys/fs/cgroup/memory")
needs_linux = pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs prlimit of util-linux")


@pytest.fixture
def small_group() -> Iterator[list[str]]:
    """A command that runs another one in a control group with 180 MB: the kernel itself kills what takes more."""
    group = GROUPS / f"side-by-side-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text("180000000")
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    yield ["sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh"]
    eventually(lambda: removed(group))


def removed(group: Path) -> bool:
    """False while its last process is still on its way out."""
    try:
        group.rmdir()
    except OSError:
        return False
    return True


@contextmanager
def starving(before: Sequence[str], cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    """A pool whose 4-bit model runs behind that command; the other row does not."""

    class Starved(LlamaEngine):
        def _command(self, place: Path | None, port: int) -> Sequence[str]:
            return [*before, *super()._command(place, port)]

    def open_engine(spec: ModelSpec, settings: Settings) -> LlamaEngine:
        return (Starved if spec.key == Q4.key else LlamaEngine)(spec, settings.cache, threads=1)

    monkeypatch.setattr(pools, "open_engine", open_engine)
    pool = Pool(ROWS, Settings(cache=cache))
    try:
        yield pool
    finally:
        pool.close()


def raced(pool: Pool) -> Comparison:
    sampling, asked = Sampling(temperature=0.0, max_tokens=8), (Message("user", "What is the sea?"),)
    entrants = {
        side: Entrant(pool.engine(key), asked, sampling, using=partial(pool.using, key))
        for side, key in (("left", Q4.key), ("right", "other"))
    }
    race = Race(entrants, "together", device=pool.device)
    for _ in race.snapshots():
        pass
    return race.now


def told(now: Comparison, words: str) -> None:
    """The left side says so, with the next smaller step, and the right side has its answer."""
    assert now.left.status == "failed"
    assert re.search(words, now.left.error)
    assert "Set its context_tokens to 4,096, or end other programs." in now.left.error
    assert (now.right.status, bool(now.right.text), now.right.error) == ("done", True, "")


@needs_linux
@pytest.mark.weights
def test_a_model_killed_by_the_kernel_for_its_memory_says_so_and_the_other_side_answers(
    small_group: list[str], smollm2_cache: Path, monkeypatch: pytest.MonkeyPatch
):
    with starving(small_group, smollm2_cache, monkeypatch) as pool:
        told(raced(pool), "was killed by signal 9: most likely out of memory")
        assert pool.state(Q4.key).name == "failed"
        assert pool.state("other").name == "ready"


@needs_linux
@pytest.mark.weights
def test_a_model_that_gets_no_more_memory_quotes_the_line_that_says_so_and_the_other_side_answers(
    smollm2_cache: Path, monkeypatch: pytest.MonkeyPatch
):
    with starving(["prlimit", "--as=600000000"], smollm2_cache, monkeypatch) as pool:
        told(raced(pool), "insufficient memory|[Cc]annot allocate memory")


@needs_linux
def test_the_kernel_is_told_to_take_a_models_server_before_the_app():
    worker = Worker("Fake", lambda port: [sys.executable, str(FAKE), str(port)])
    worker.start()
    try:
        scores = [int(Path(f"/proc/{pid}/oom_score_adj").read_text()) for pid in (os.getpid(), worker.pid)]
        assert scores[1] >= scores[0] + 500
    finally:
        worker.end()
