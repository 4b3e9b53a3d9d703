"""The checks say that this build keeps its promises, and that a build which does not keep one breaks that one."""

import asyncio
from pathlib import Path

import pytest
from mutants import MUTANTS, Mutant

from interlock.verify.every import EVERY
from interlock.verify.lab import lab_like
from interlock.verify.run import Told, run_all, run_one
from promises import PROMISES

pytestmark = pytest.mark.slow


@pytest.mark.promise(
    "door", "intent", "once", "budget", "consent", "stop", "undo", "explain", "tenant", "ledger", "forget", "secret"
)
def test_this_build_keeps_every_promise(where: str) -> None:
    told: list[Told] = []
    with lab_like(where) as lab:
        asyncio.run(run_all(lab, EVERY, told.append))
    assert {each.check.name: each.seen for each in told if each.verdict != "kept"} == {}


def test_every_promise_has_a_check_and_every_check_a_promise() -> None:
    assert {check.promise for check in EVERY} == set(PROMISES)
    assert len({check.name for check in EVERY}) == len(EVERY)


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_build_that_was_broken_on_purpose_is_caught_by_the_promise_that_it_breaks(
    mutant: Mutant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant.apply(monkeypatch)
    with lab_like(str(tmp_path / "interlock.db")) as lab:
        told = [asyncio.run(run_one(lab, check)) for check in EVERY if check.promise == mutant.promise]
    assert "broken" in {each.verdict for each in told}, [(each.check.name, each.seen) for each in told]
