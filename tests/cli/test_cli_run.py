"""What became of a run, on one screen."""

from command_line import Shell
from interlock.door.cli.person import user_name


def test_runs_are_listed_the_one_that_changed_last_first(shell: Shell) -> None:
    shell.publish()
    assert shell("run", "list") == "no such run\n"
    shell.refund("INV-1", 20, "--run", "r1")
    shell.clock.forward(seconds=1)
    alone = shell.refund("INV-4", 20)["action"]
    shell.clock.forward(seconds=1)
    waits = shell.refund("INV-2", 80, "--run", "r1", code=3)["action"]
    first, second = shell.data("run", "list")
    assert (first["id"], first["agent"], first["calls"]) == ("r1", "bot", 2)
    assert first["last"] == {"action": waits, "tool": "refund", "state": "parked"}
    assert (second["calls"], second["last"]["action"]) == (1, alone)
    assert shell.data("run", "list", "--agent", "bot") == [first, second]
    assert shell.data("run", "list", "--agent", "ann") == shell.data("run", "list", "--env", "dev") == []
    shell("run", "list", "--limit", "1")
    assert "the newest 1;" in shell.err
    assert "1 to 1,000" in shell.unmeant("run", "list", "--limit", "0")


def test_a_run_tells_what_it_cost_who_is_waited_for_and_what_stands(shell: Shell) -> None:
    shell.publish()
    done = shell.refund("INV-1", 20, "--run", "r1")["action"]
    shell.clock.forward(seconds=1)
    undone = shell.refund("INV-4", 20, "--run", "r1")["action"]
    shell.clock.forward(seconds=1)
    waits = shell.refund("INV-2", 80, "--run", "r1", code=3)["action"]
    shell.clock.forward(seconds=1)
    shell("undo", undone)
    run = shell.data("run", "show", "r1")
    assert (run["calls"], run["states"], run["cost_usd"]) == (4, {"done": 3, "parked": 1}, "0.1")
    assert (run["waits"], run["stands"], run["older"]) == ([waits], [done], False)
    assert [each["id"] for each in run["actions"]][:3] == [done, undone, waits]
    told = shell("run", "show", "r1")
    assert f"`interlock approvals show {waits}`" in told
    assert "calls     4, 1 of them to undo others: 3 done, 1 parked" in told
    assert "1 effect: `interlock undo --run r1 --plan`" in told
    assert len(shell.data("run", "show", "r1", "--limit", "2")["actions"]) == 2
    shell("run", "show", "r1", "--limit", "2")
    assert "only the newest 2;" in shell.err


def test_what_a_person_undoes_outside_of_a_run_is_not_told_as_a_run_of_the_agent(shell: Shell) -> None:
    shell.publish()
    undone = shell.refund("INV-1", 20)["action"]
    shell.clock.forward(seconds=1)
    shell("undo", undone)
    persons, agents = (each["id"] for each in shell.data("run", "list"))
    of_person, of_agent = shell("run", "list").splitlines()[1:]
    assert persons in of_person and f"{user_name()}, a person" in of_person
    assert agents in of_agent and "a person" not in of_agent
    assert f"agent     {user_name()}, a person" in shell("run", "show", persons)
    assert "a person" not in shell("run", "show", agents).partition("ACTION")[0]


def test_a_run_that_is_not_there_is_an_error_with_a_fix(shell: Shell) -> None:
    shell.publish()
    assert "interlock run list" in shell.failed("run", "show", "r7")
