"""Steps 1 and 2: who asks for what, in the one form that everything after them sees."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from hashlib import sha256

from msgspec import Struct

from interlock.contract.arguments import Arguments, Schema, in_words
from interlock.contract.ir import Hook, Tool
from interlock.contract.path import Absent, lookup, parse
from interlock.core.action import Action, Caller, Signed
from interlock.core.canonical import Json, line_bytes
from interlock.core.effect import RESENDABLE, EffectClass, Tier
from interlock.core.errand import Line
from interlock.core.ids import (
    ActionId,
    Digest,
    Key,
    PayloadId,
    PersonId,
    RunId,
    SubjectId,
    ToolName,
)
from interlock.core.limits import SAFE_INTEGER
from interlock.core.outcome import Refused, Wrong
from interlock.core.reason import Reason
from interlock.core.value import replace
from interlock.core.wording import closest
from interlock.gateway.force import Force
from interlock.gateway.keyed import digest, equal_key, given_key, key_of
from interlock.gateway.lot import lot_at
from interlock.gateway.proposal import RUN_NAME, Begun, Fresh, Proposal, Proposed, Proved
from interlock.ports import Payload, Secrets

_KEY_CHARS_MAX = 256


class Asked(Struct, frozen=True, kw_only=True, dict=True):
    """An action with its arguments and the contract it is judged under."""

    action: Action
    arguments: Arguments
    salt: str
    tool: Tool
    force: Force
    drawn: Fresh
    even_if_changed: bool = False
    authors: tuple[PersonId, ...] = ()
    askers: tuple[PersonId, ...] = ()
    signed: str = ""
    """What its agent has signed and no entry says."""
    session: RunId | None = None
    """The session that it is asked for in, as the door knows it."""
    line: Line | None = None
    begun: Begun | None = None
    beside: bool = False
    """Whether it is beside the calls of the agent."""

    @cached_property
    def owner(self) -> str:
        """Whose budgets it is charged to."""
        return owner_of(self.action.caller)

    def answered_by(self, action: ActionId, *, joined: bool) -> None:
        """Tell whoever wants to hear it which action is under way for it."""
        if self.begun is not None:
            self.begun(action, joined)

    @property
    def attempts(self) -> int:
        """How often it may be sent, all in all."""
        return 1 + (self.tool.retries if self.tool.effect in RESENDABLE else 0)

    @cached_property
    def price(self) -> int | None:
        """What every attempt and the look at the record afterwards may cost, or nothing if any price is unknown.

        What is looked up before is paid before (`paid`). Its price has to be known all the same.
        """
        hooks = (*self.hooks_before, self.tool.after)
        if self.tool.price is None or None in (self._price_of(hook) for hook in hooks if hook is not None):
            return None
        return self.tool.price * self.attempts + self.price_after

    @cached_property
    def hooks_before(self) -> tuple[Hook, ...]:
        """What is looked up before it starts: facts, the preview, the record as it is."""
        return self.force.hooks_before(self.tool)

    @property
    def pays_to_look(self) -> bool:
        """Whether any of it costs money."""
        return any(self._price_of(hook) for hook in self.hooks_before)

    @property
    def price_after(self) -> int:
        """What looking at the record after the effect costs."""
        return (self._price_of(self.tool.after) if self.tool.after is not None else None) or 0

    def _price_of(self, hook: Hook) -> int | None:
        tool = self.force.contract.tools.get(hook.tool)
        return tool.price if tool is not None else None

    @property
    def plain_read(self) -> bool:
        """Whether a crash may forget that it was under way: no money, no effect, no word to outsiders."""
        return self.tool.effect is EffectClass.READ and not self.tool.price and not self.tool.outside

    def at(self, path: str, **more: Json) -> Json | Absent:
        """Return what stands at a path such as `$.args.id`, with `more` beside `args`."""
        return lookup(parse(path), {"args": dict(self.arguments.values), **more})

    @cached_property
    def subjects(self) -> frozenset[SubjectId]:
        """Name whose data the arguments and the result are, and the lot that they go with.

        Without a subject that the contract names it is the run, if the caller named one.
        """
        named = whose(self.tool, self.arguments.values) if self.tool.subject else Absent.ABSENT
        who = frozenset[SubjectId]()
        # One that was asked for under another contract may name nobody where this one looks.
        if _names_somebody(named):
            who = frozenset({SubjectId(f"subject:{named}")})
        elif not self.action.own_run:
            who = frozenset({SubjectId(f"run:{self.action.run}")})
        return frozenset({lot_at(self.drawn.at, self.force.contract.payload_days).subject}) | who

    def sealed(self, secrets: Secrets, id: PayloadId, text: bytes) -> Payload:
        """Encrypt a payload of this action, as it is kept."""
        return Payload(id=id, sealed=secrets.seal(self.action.caller.tenant, id, text, self.subjects))

    def sealed_arguments(self, secrets: Secrets) -> Payload:
        """Encrypt the arguments with their salt."""
        kept = {"salt": self.salt, "arguments": self.arguments.text.decode()}
        text = line_bytes({**kept, "signed": self.signed} if self.signed else kept)
        return self.sealed(secrets, self.action.arguments, text)


def owner_of(caller: Caller) -> str:
    """Name whose budgets a caller is charged to."""
    return f"{caller.workflow}:{caller.environment}"


def commitment(salt: str, text: bytes) -> str:
    """Stand for `text` in an entry. Who destroys the salt makes it say nothing."""
    return sha256(salt.encode() + b"\0" + text).hexdigest()


def identify(proposed: Proposed, force: Force | None) -> Tool | Refused:
    """(1) Find the tool that is meant, in the contract that is in force for the caller."""
    caller, proposal, drawn = proposed.caller, proposed.proposal, proposed.drawn

    def no(reason: Reason, why: str, fix: str, *wrong: Wrong) -> Refused:
        return Refused(action=drawn.id, reason=reason, why=why, fix=fix, wrong=wrong)

    if force is None:
        why = f"no contract is published for `{caller.workflow}` in `{caller.environment}`"
        return no(Reason.TOOL_NOT_ALLOWED, why, f"run `interlock contract publish FILE --env {caller.environment}`")
    if proposal.run is not None and not RUN_NAME.fullmatch(proposal.run):
        fix = "use at most 64 letters, digits and `._:-`"
        wrong = Wrong(path="run", kind="Pattern")
        return no(Reason.INVALID_ARGUMENTS, "the id of the run is not a name", fix, wrong)
    if not key_is_one(proposal):
        fix = "use a key of 1 to 256 characters, and count occurrences from 1"
        wrong = Wrong(path="key", kind="Pattern")
        return no(Reason.INVALID_ARGUMENTS, "the key or the occurrence is none", fix, wrong)
    contract = force.contract
    if contract.agents and caller.agent not in contract.agents and proposal.by is None:
        why = f"agent `{caller.agent}` is not one of the agents of `{caller.workflow}`"
        fix = _or_meant(caller.agent, contract.agents, "name it under `agents` in the contract")
        return no(Reason.TOOL_NOT_ALLOWED, why, fix)
    tool = contract.tools.get(proposal.tool)
    if tool is not None and tool.only_as_undo and proposal.undo_of is None:
        why = f"`{tool.name}` is there to undo with, and for nothing else"
        return no(Reason.TOOL_NOT_ALLOWED, why, "undo the action: `interlock undo ACTION`")
    if tool is None or tool.only_for_facts:
        why = "the contract does not know this tool" if tool is None else f"`{tool.name}` is there for facts alone"
        fix = "name it under `tools` and `permissions.allowed_tools` in the contract"
        return no(Reason.TOOL_NOT_ALLOWED, why, _or_meant(proposal.tool, open_to_agents(force), fix))
    unfit = force.unfit.get(tool.name)
    if unfit is not None:
        return replace(unfit, action=drawn.id)
    return tool


def open_to_agents(force: Force) -> list[ToolName]:
    """Name the tools that a rule lets agents call, in the order of their names. The others are nothing to tell of."""
    open_to = [name for name, slice in force.policies.slices.items() if slice.permitted]
    tools = (force.contract.tools[name] for name in open_to if name in force.contract.tools)
    return [tool.name for tool in tools if not tool.only_as_undo and not tool.only_for_facts]


def _or_meant(said: str, known: Iterable[str], fix: str) -> str:
    near = closest(said, known)
    return f"did you mean `{near}`? if not, {fix}" if near is not None else fix


def key_is_one(proposal: Proposal) -> bool:
    """Say whether its key and its number can be written down."""
    text = proposal.key
    # An empty one reads like none where it was signed, and would be another call.
    whole = text is None or 0 < len(text) <= _KEY_CHARS_MAX
    return whole and 1 <= proposal.occurrence <= SAFE_INTEGER and not any("\ud800" <= c <= "\udfff" for c in text or "")


_NO_OBJECT = 'send one JSON object, such as `{"id": 7}`; a shell wants it in single quotes'


def validate(proposed: Proposed, tool: Tool, force: Force) -> Arguments | Refused:
    """(2) Check the arguments against the pinned schema and bring them into canonical form."""
    id, caller = proposed.drawn.id, proposed.caller
    schema = force.schemas.get(tool.name)
    if schema is None:
        return Refused(
            action=id,
            reason=Reason.INVALID_ARGUMENTS,
            why=f"tool `{tool.name}` was published without a schema of its arguments",
            fix="give it a `schema` in the contract, or a source that has one",
        )
    read = schema.read(proposed.proposal.arguments)
    if isinstance(read, Arguments):
        wrong = _about_nobody(tool, read, schema)
        return read if wrong is None else replace(wrong, action=id)
    place = f"--workflow {caller.workflow} --env {caller.environment}"
    schema_told = f"compare the call with the schema: `interlock contract show --tool {tool.name} {place}`"
    return Refused(
        action=id,
        reason=Reason.INVALID_ARGUMENTS,
        why="; ".join(map(in_words, read[:8])),
        fix=_NO_OBJECT if read[0].kind in ("not_json", "type") else schema_told,
        wrong=read[:8],
    )


def whose(tool: Tool, values: Mapping[str, Json]) -> Json | Absent:
    """Return what stands where a tool names whose data its arguments are: a text or a whole number names somebody."""
    return lookup(parse(tool.subject), {"args": dict(values)})


def _about_nobody(tool: Tool, read: Arguments, schema: Schema) -> Refused | None:
    """Refuse what names nobody although its tool says where: nobody could ask for it to be erased."""
    found = whose(tool, read.values) if tool.subject else "somebody"
    if _names_somebody(found):
        return None
    kind = "Required" if found is Absent.ABSENT else "MinLength" if found == "" else "Type"
    wrong = schema.wrong_at(parse(tool.subject).steps[1:], kind)
    return Refused(
        action=ActionId(""),
        reason=Reason.INVALID_ARGUMENTS,
        why=f"`{tool.subject}` names nobody whose data this is ({wrong.path}: {kind})",
        fix=f"send a text or a whole number there, and let the schema of `{tool.name}` need it",
        wrong=(wrong,),
    )


def _names_somebody(found: Json | Absent) -> bool:
    return found != "" and isinstance(found, str | int) and not isinstance(found, bool)


def put_together(
    proposed: Proposed, tool: Tool, arguments: Arguments, force: Force, secrets: Secrets, proved: Proved | None
) -> Asked:
    """Put together what the judges see."""
    caller, proposal, drawn = proposed.caller, proposed.proposal, proposed.drawn
    signed = proved.signed if proved is not None else None
    action = Action(
        id=drawn.id,
        key=scoped_key(proposed, tool, arguments, secrets, signed),
        digest=digest(caller, tool.name, arguments.text, secrets),
        what=commitment(drawn.salt, arguments.text),
        caller=caller,
        run=proposed.run,
        tool=tool.name,
        effect=tool.effect,
        tier=tool.tier,
        arguments=drawn.arguments,
        asked_at=drawn.at,
        own_run=proposal.run is None,
        by=proposal.by,
        undo_of=proposal.undo_of,
        retry_of=proposal.retry_of,
        draft_of=proposal.draft_of,
        signed=signed,
    )
    return Asked(
        action=action,
        arguments=arguments,
        salt=drawn.salt,
        tool=tool,
        force=force,
        drawn=drawn,
        even_if_changed=proposal.even_if_changed,
        authors=proposal.authors,
        askers=proposal.askers,
        signed=proved.private if proved is not None else "",
        session=proposal.session,
        line=proposal.line,
        begun=proposal.begun,
        beside=proposal.beside,
    )


def scoped_key(proposed: Proposed, tool: Tool, arguments: Arguments, secrets: Secrets, signed: Signed | None) -> Key:
    """Say what makes two calls the same call, so that no agent can present another's key."""
    caller, proposal = proposed.caller, proposed.proposal
    if proposal.key is not None:
        return given_key(caller, proposal.key, secrets, by_person=proposal.by is not None)
    what: Mapping[str, Json]
    reads = tool.effect is EffectClass.READ
    if signed is not None and (proposal.run is None or reads):
        # Whoever caught it and sends it again has no second effect: a read may cost money, or tell somebody something.
        what = {"kind": "signed", "tool": tool.name, "signed": signed.what}
    elif reads or proposal.by is not None or proposal.beside:
        what = {"kind": "once", "key": proposed.drawn.id}  # these are never answered from memory
    elif proposal.equal:
        return equal_key(caller, tool.name, arguments.text, proposal.equal, secrets)
    else:
        text = arguments.text.decode()
        what = {"kind": "derived", "run": proposed.run, "tool": tool.name, "args": text, "n": proposal.occurrence}
    return key_of(caller, what, secrets)


def unreadable(proposed: Proposed, tool: Tool | None) -> Action:
    """Stand for a call that was refused before it had a canonical form. Only a commitment to what came is kept."""
    proposal, drawn = proposed.proposal, proposed.drawn
    raw = proposal.arguments if isinstance(proposal.arguments, bytes) else proposal.arguments.encode(errors="replace")
    return Action(
        id=drawn.id,
        key=Key(drawn.id),
        digest=Digest(""),
        what=commitment(drawn.salt, raw),
        caller=proposed.caller,
        run=proposal.run if proposal.run and RUN_NAME.fullmatch(proposal.run) else drawn.run,
        tool=tool.name if tool else ToolName("unknown"),
        effect=tool.effect if tool else EffectClass.OPAQUE,
        tier=tool.tier if tool else Tier.RED,
        arguments=PayloadId(""),
        asked_at=drawn.at,
    )
