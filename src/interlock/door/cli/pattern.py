"""How agents share a job, for `contract init`: each pattern changes what the contract allows, and is enforced by it.

A pattern is written into the text of a starter, so that the file stays one that a person has written.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

_ROLES = "roles.cedar"
_BESIDE = 31  # the column in which starters say what a line means


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One way in which agents share a job."""

    name: str
    says: str
    agents: Mapping[str, str]
    """What each of them is for; none is any agent."""
    writer: str = ""
    """The only agent that may write, where there are several."""
    once: bool = False
    """Whether each write is made once a run, and nothing is repeated."""
    drafts: bool = False
    """Whether what an agent writes ends as a draft that a person starts."""

    def files(self, files: Mapping[str, str], writes: Sequence[str]) -> Mapping[str, str]:
        """Write a starter's files anew for this pattern.

        Args:
            files: contract, cases and the rest, by name.
            writes: the tools that write and that agents may call.
        """
        contract, cases = files["contract.yaml"], files["cases.yaml"]
        if self.agents:
            named = "".join(_line(f"  {name}: {{}}", says) for name, says in self.agents.items())
            contract = _before(contract, "environments:", f"{_line('agents:', 'only these may call')}{named}\n")
        if self.once:
            contract = _limited(contract, writes)
        if self.drafts:
            contract, cases = _drafted(contract, writes), _cases_drafted(cases, writes)
        if not self.writer:
            return {**files, "contract.yaml": contract, "cases.yaml": cases}
        rule = _line(f"  policy_files: [{_ROLES}]", f"who may write: `{self.writer}` alone")
        contract = contract.replace("permissions:\n", f"permissions:\n{rule}", 1)
        cases = self._cases(cases, writes)
        return {**files, "contract.yaml": contract, "cases.yaml": cases, _ROLES: self._roles()}

    def _roles(self) -> str:
        return (
            f"// Only `{self.writer}` writes. An undo is what a person asks for.\n"
            f'@id("roles.{self.writer}_writes")\n'
            'forbid(principal, action in Action::"write", resource)\n'
            "when { !context.undo }\n"
            f'unless {{ principal == Agent::"{self.writer}" }};\n'
        )

    def _cases(self, text: str, writes: Sequence[str]) -> str:
        """Let the writer ask in every case, and add one in which another agent asks for what the writer may do."""
        known = yaml.safe_load(text)["cases"]
        may = next(each for each in known if each["tool"] in writes and each["expect"] == "allow")
        other = next(name for name in self.agents if name != self.writer)
        facts = f"    facts: {json.dumps(may['facts'])}\n" if may.get("facts") else ""
        more = (
            f"  - name: only {self.writer} writes\n    agent: {other}\n    tool: {may['tool']}\n"
            f"    args: {json.dumps(may['args'])}\n{facts}    expect: deny\n"
            f"    rules: [roles.{self.writer}_writes]\n"
        )
        return text.replace("mode: act\n", f"mode: act\nagent: {self.writer}\n", 1) + more


def _line(text: str, says: str) -> str:
    return f"{text.ljust(_BESIDE)}# {says}\n"


def _before(text: str, line: str, more: str) -> str:
    return text.replace(f"\n{line}", f"\n{more}{line}", 1)


def _limited(text: str, writes: Sequence[str]) -> str:
    """Let each write be made once a run, and refuse the second of two equal calls."""
    for tool in writes:
        begun = f"    {tool}: {{ "
        if begun in text:
            text = text.replace(begun, f"{begun}calls_per_run: 1, ")
        else:
            text = text.replace("  limits:\n", f"  limits:\n    {tool}: {{ calls_per_run: 1 }}\n", 1)
    return f"{text}\nloop:\n{_line('  equal_calls: 2', 'the second of two equal calls of a run is refused')}"


def _drafted(text: str, writes: Sequence[str]) -> str:
    """Make the tools red that write: what an agent asks for ends as a draft."""
    says = _line("    tier: red", "an agent's call ends as a draft: a person starts it, others agree")
    for tool in writes:
        text = re.sub(rf"(\n  {tool}:\n(?:    .*\n)*?)    tier: .*\n", lambda found: found[1] + says, text, count=1)
    return text


def _cases_drafted(text: str, writes: Sequence[str]) -> str:
    """Expect a draft wherever a write was let through or asked about."""
    head, *cases = re.split(r"(?m)^(?=  - )", text)
    return head + "".join(_case_drafted(case) if _is_of(case, writes) else case for case in cases)


def _is_of(case: str, writes: Sequence[str]) -> bool:
    return re.search(rf"tool: ({'|'.join(writes)})\b", case) is not None and "expect: deny" not in case


def _case_drafted(case: str) -> str:
    case = re.sub(r"\n    rules: .*", "", case)
    case = re.sub(r"expect: (allow|ask)", "expect: draft", case)
    return re.sub(r"name: ([^,\n]+)", r"name: \1 (once a person starts it)", case, count=1)


PATTERNS: tuple[Pattern, ...] = (
    Pattern(name="router", says="one agent that calls the tools it needs", agents={}),
    Pattern(
        name="verified",
        says="a planner, an executor that alone writes, a verifier",
        agents={
            "planner": "looks, and says what is to be done",
            "executor": "does it, and is the only one that may write",
            "verifier": "looks whether it was done",
        },
        writer="executor",
    ),
    Pattern(
        name="workflow",
        says="fixed steps in code, with models in between: each write once a run",
        agents={"steps": "the code that runs the steps; no model calls by itself"},
        once=True,
    ),
    Pattern(name="drafts", says="agents draft, people start what was drafted", agents={}, drafts=True),
    Pattern(
        name="panel",
        says="several readers, and one writer",
        agents={
            "reader-1": "looks, and hands on what it has found",
            "reader-2": "does so apart from the first",
            "writer": "weighs what they say, and is the only one that may write",
        },
        writer="writer",
    ),
)
