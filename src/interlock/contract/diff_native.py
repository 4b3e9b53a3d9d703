"""What changed in the organisation's own policies, policy by policy, in the text as Cedar writes it."""

from collections.abc import Iterator
from difflib import ndiff

from interlock.contract.diff_line import Line, Weight, in_file
from interlock.contract.ir import Contract
from interlock.core.ids import RuleId
from interlock.policy.reading import Policy, read
from interlock.policy.rule import RuleEffect


def native_changes(old: Contract, new: Contract) -> tuple[tuple[Line, ...], frozenset[str]]:
    """Return every policy that was added, removed or changed, and what any of them looks at in a call.

    Raises:
        ContractInvalid: a file is not Cedar.
    """
    was, will = _policies(old), _policies(new)
    looks_at = {path[0] if path else "*" for policy in (*was.values(), *will.values()) for path in policy.looks_at}
    lines = [line for id in sorted(was.keys() | will.keys()) for line in _changes(old, new, was.get(id), will.get(id))]
    return tuple(lines), frozenset(looks_at)


def _policies(contract: Contract) -> dict[RuleId, Policy]:
    return {policy.id: policy for file, text in sorted(contract.cedar.items()) for policy in read(text, file)}


def _changes(old: Contract, new: Contract, was: Policy | None, will: Policy | None) -> Iterator[Line]:
    if was is None and will is not None:
        weight = Weight.LOOSER if will.effect is RuleEffect.PERMIT else Weight.TIGHTER
        yield Line(weight, f"policy `{will.id}`", f"added: {_one_line(will)}", in_file(old), will.place)
    elif will is None and was is not None:
        weight = Weight.LOOSER
        if was.effect is RuleEffect.PERMIT:
            # What looked at a fact kept everything shut while that fact was unknown.
            weight = Weight.TIGHTER if was.facts == frozenset() else Weight.OTHER
        yield Line(weight, f"policy `{was.id}`", f"removed: {_one_line(was)}", was.place, in_file(new))
    elif was is not None and will is not None and was.text != will.text:
        yield Line(Weight.OTHER, f"policy `{will.id}`", _difference(was, will), was.place, will.place)


def _one_line(policy: Policy) -> str:
    return " ".join(policy.text.split())


def _difference(was: Policy, will: Policy) -> str:
    """Show the lines that are gone and those that came."""
    lines = list(ndiff(was.text.splitlines(), will.text.splitlines()))
    gone, came = (" ".join(line[2:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return f"{gone or 'nothing'} -> {came or 'nothing'}"
