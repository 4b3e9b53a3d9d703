"""A file of named statements: each with its parameters, what it returns, and what people should know of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from interlock.contract.problem import nearest
from interlock.core.errors import ContractInvalid
from interlock.core.wording import closest
from interlock.tool.sql_plan import KINDS, RETURNS, Kind, Returns
from interlock.tool.sql_text import Token, tokens

OURS = frozenset({"interlock_key", "interlock_tenant"})
"""Parameters that Interlock itself fills in."""

_NAME = re.compile(r"--\s*name:\s*(\S+)\s*")
_PARAMETER = re.compile(r"--\s*param\s+([A-Za-z_][A-Za-z0-9_]*)\s*:\s*([a-z]+)(\??)\s*")
_RETURNS = re.compile(r"--\s*returns\s+(\S+)\s*")
_NEARLY = re.compile(r"--\s*(\w+):?\s+(?:(\w+)|\w+\s*:\s*(\w+)\??)")
_READS = frozenset({"select", "values", "with", "table"})
_WRITES = frozenset({"insert", "update", "delete", "merge", "replace", "upsert"})
_NEVER = frozenset(
    {"alter", "analyze", "attach", "begin", "call", "commit", "copy", "create", "deallocate", "detach", "discard", "do"}
    | {"drop", "end", "execute", "explain", "grant", "listen", "load", "lock", "notify", "pragma", "prepare", "reindex"}
    | {"release", "reset", "revoke", "rollback", "savepoint", "set", "show", "start", "truncate", "vacuum"}
)
"""Words that no statement of a tool begins with: what changes tables, rights, sessions or transactions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One argument of a statement, as its comment says it."""

    kind: Kind
    may_be_null: bool


@dataclass(slots=True, kw_only=True)
class Statement:
    """One statement."""

    name: str
    text: str = ""
    about: list[str] = field(default_factory=list[str])
    said: dict[str, Parameter] = field(default_factory=dict[str, Parameter])
    """The parameters whose types the comment says."""
    returns: Returns | None = None

    @property
    def parameters(self) -> tuple[str, ...]:
        """The arguments, in the order in which they stand in the text."""
        return tuple(name for name in _named(self.text) if name not in OURS)

    @property
    def ours(self) -> frozenset[str]:
        return OURS & set(_named(self.text))

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(token.text.lower() for token in tokens(self.text) if token.kind == "word")

    @property
    def reads(self) -> bool:
        """Whether no word of it writes. What it really does, the database is asked when it is carried out."""
        words = self.words
        return words[:1] != () and words[0] in _READS and not (_WRITES | {"into"}) & set(words)


def _named(text: str) -> tuple[str, ...]:
    found = (token.text.removeprefix(":") for token in tokens(text) if token.kind == "parameter")
    return tuple(dict.fromkeys(found))


def find(file: str, text: str, name: str) -> Statement:
    """Find a statement by its name.

    Raises:
        ContractInvalid: it is not there, or it cannot be a tool.
    """
    statements = _statements(file, text)
    if name not in statements:
        raise ContractInvalid(f"{file}: no statement is named `{name}`", fix=nearest(name, statements))
    _check(file, statements[name])
    return statements[name]


def _statements(file: str, text: str) -> Mapping[str, Statement]:
    found: dict[str, Statement] = {}
    now: Statement | None = None
    for line in text.splitlines():
        named = _NAME.fullmatch(line.strip())
        if named is not None:
            if named[1] in found:
                raise ContractInvalid(f"{file}: two statements are named `{named[1]}`", fix="rename one of them")
            now = found[named[1]] = Statement(name=named[1])
        elif now is not None and line.strip().startswith("--") and not now.text.strip():
            _comment(file, now, line.strip())
        elif now is not None:
            now.text += line + "\n"
        elif line.strip() and not line.strip().startswith("--"):
            raise ContractInvalid(f"{file}: a statement has no name", fix="write `-- name: find_customer` above it")
    return found


def _comment(file: str, statement: Statement, line: str) -> None:
    parameter, returns = _PARAMETER.fullmatch(line), _RETURNS.fullmatch(line)
    if parameter is not None:
        if parameter[2] not in KINDS:
            raise _wrong(file, statement, f"`{parameter[2]}` is no type", nearest(parameter[2], KINDS))
        statement.said[parameter[1]] = Parameter(kind=KINDS[parameter[2]], may_be_null=parameter[3] == "?")
    elif returns is not None:
        if returns[1] not in RETURNS:
            raise _wrong(file, statement, f"`returns {returns[1]}` is unknown", nearest(returns[1], RETURNS))
        statement.returns = RETURNS[returns[1]]
    elif re.match(r"--\s*(?:param|returns|name)\b", line):
        raise _wrong(file, statement, f"`{line}` cannot be read", "write `-- param mail: string`, `-- returns one`")
    elif (meant := _mistyped(line)) is not None:
        raise _wrong(file, statement, f"`{line}` is nearly `-- {meant} ...`", "correct it, or say it in other words")
    else:
        statement.about.append(line.removeprefix("--").strip())


def _mistyped(line: str) -> str | None:
    """Return the word that was meant where a remark says what only `returns` or `param` say."""
    said = _NEARLY.fullmatch(line)
    if said is None:
        return None
    known = ["returns"] if said[2] in RETURNS else ["param"] if said[3] in KINDS else []
    return closest(said[1].lower(), known)


def _check(file: str, statement: Statement) -> None:
    try:
        every = list(tokens(statement.text))
    except ValueError as error:
        raise _wrong(file, statement, str(error), "write texts between single quotes") from error
    statement.text = _one(file, statement, every)
    words = statement.words
    if not words or words[0] in _NEVER or words[0] not in _READS | _WRITES:
        said = f"it begins with `{words[0]}`" if words else "it is empty"
        raise _wrong(file, statement, said, "write one SELECT, INSERT, UPDATE or DELETE")
    if "into" in words and not _WRITES & set(words):
        raise _wrong(file, statement, "`select into` makes a table", "insert into one that is there")
    named = _named(statement.text)
    if unknown := sorted(statement.said.keys() - set(named)):
        raise _wrong(file, statement, f"it has no parameter `{unknown[0]}`", nearest(unknown[0], named))
    for name in named:
        if name.startswith("interlock_") and name not in OURS:
            raise _wrong(file, statement, f"`:{name}` is unknown", nearest(name, OURS))
        if name in OURS and name in statement.said:
            raise _wrong(file, statement, f"`:{name}` is filled in by Interlock", "remove its `-- param`")


def _one(file: str, statement: Statement, every: list[Token]) -> str:
    """Return the text of the one statement, without what ends it."""
    ends = [at for at, token in enumerate(every) if token.kind == "end"]
    first = ends[0] if ends else len(every)
    rest = [token for token in every[first + 1 :] if token.text.strip() and not token.text.startswith(("--", "/*"))]
    if rest:
        raise _wrong(file, statement, "there is more than one statement", "give the second one a name of its own")
    return "".join(token.text for token in every[:first]).strip()


def _wrong(file: str, statement: Statement, what: str, fix: str) -> ContractInvalid:
    return ContractInvalid(f"{file}: `{statement.name}`: {what}", fix=fix)
