"""A Python function as a tool: what it takes, what it gives back, and the JSON on both sides. No loop, no threads.

A child process that carries out one call imports this and little else, so it stays small.
"""

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

import msgspec

from interlock.core.canonical import Json
from interlock.core.errors import ContractInvalid, UpstreamError, UpstreamFailed, UpstreamSilent
from interlock.core.limits import SAID_CHARS_MAX
from interlock.core.secret import Secret

PREFIX = "python:"
KEY_PARAMETER = "idempotency_key"
"""The parameter that is no argument: it gets the key by which the other side recognises a repetition."""
SECRET_PARAMETER = "secret"  # noqa: S105  a name
"""Another one: it gets the text of the secret that the contract gives the tool."""

_UNNAMED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function with the type of its arguments."""

    call: Callable[..., Any]
    arguments: type[msgspec.Struct]
    takes_key: bool
    takes_secret: bool

    @property
    def name(self) -> str:
        return self.call.__name__

    @property
    def is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.call)

    def named(self, arguments: bytes, key: str, secret: Secret | None = None) -> dict[str, Any]:
        """Turn canonical arguments, the key and the secret into what the function's parameters want.

        Raises:
            UpstreamFailed: they do not fit its types, so it was not called.
        """
        try:
            values = msgspec.json.decode(arguments, type=self.arguments)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise UpstreamFailed(
                f"the arguments do not fit the types of `{self.name}`, so it was not called",
                fix="publish the contract again, so that its schema is that of the function",
            ) from error
        named = {name: getattr(values, name) for name in self.arguments.__struct_fields__}
        if self.takes_key:
            named[KEY_PARAMETER] = key
        if self.takes_secret:
            if secret is None:
                raise UpstreamFailed(f"`{self.name}` takes a secret and got none, so it was not called", fix=_NAME_ONE)
            named[SECRET_PARAMETER] = secret.reveal()
        return named

    def check_secret(self, name: str) -> None:
        """See to it that a contract names a secret for it if, and only if, it takes one.

        Raises:
            ContractInvalid: it takes one and gets none, or gets one and takes none.
        """
        if self.takes_secret and not name:
            raise ContractInvalid(f"`{self.name}` takes a secret, and the contract names none", fix=_NAME_ONE)
        if name and not self.takes_secret:
            what = f"the contract gives `{self.name}` the secret `{name}`, and the function takes none"
            raise ContractInvalid(what, fix="add a parameter `secret: str` to it, or remove `secret` from the tool")


_NAME_ONE = "name one in the contract: `secret: NAME` of the tool"


def function_of(source: str) -> Function:
    """Import what `python:module:function` names.

    Raises:
        ContractInvalid: there is no such function, or one whose parameters cannot be described.
    """
    module, _, name = source.removeprefix(PREFIX).partition(":")
    try:
        found: object = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:
        why, fix = _not_imported(module, error)
        raise ContractInvalid(f"`{source}` cannot be imported ({why})", fix=fix) from error
    if not inspect.isroutine(found):
        raise ContractInvalid(f"`{source}` is not a function", fix="name a function with annotated parameters")
    call = cast("Callable[..., Any]", found)
    parameters = _parameters(call)
    return Function(
        call=call,
        arguments=_arguments_of(call, parameters),
        takes_key=KEY_PARAMETER in parameters,
        takes_secret=SECRET_PARAMETER in parameters,
    )


def _not_imported(module: str, error: BaseException) -> tuple[str, str]:
    """Say why there is no such function, and what to do. What an error says beside its kind may be anything."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return type(error).__name__, "write `python:module:function`, and see whether Python imports it"
    if module == error.name or module.startswith(f"{error.name}."):
        fix = "do this in the folder of the module, or put that on the path (`PYTHONPATH`)"
    else:
        fix = "install what the module needs beside Interlock"
    return f"there is no module `{error.name}`", fix


def _parameters(call: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(call, eval_str=True).parameters)
    except Exception as error:
        fix = "annotate its parameters with types that its module can name"
        raise ContractInvalid(f"the parameters of `{call.__name__}` cannot be read", fix=fix) from error


def _arguments_of(call: Callable[..., Any], parameters: dict[str, inspect.Parameter]) -> type[msgspec.Struct]:
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for name, parameter in parameters.items():
        if name in (KEY_PARAMETER, SECRET_PARAMETER):
            continue
        if parameter.annotation is parameter.empty or parameter.kind in _UNNAMED:
            message = f"parameter `{name}` of `{call.__name__}` has no name or no type"
            raise ContractInvalid(message, fix="give every parameter a name and an annotation")
        default = () if parameter.default is parameter.empty else (parameter.default,)
        fields.append((name, parameter.annotation, *default))
    try:
        return msgspec.defstruct(call.__name__, fields, kw_only=True, forbid_unknown_fields=True)
    except (TypeError, ValueError) as error:
        message = f"the parameters of `{call.__name__}` cannot be read"
        raise ContractInvalid(message, fix="use annotations and defaults that JSON can carry") from error


def plain(value: object) -> Json:
    """Turn what a function returned into JSON, every number exactly.

    Raises:
        ValueError: JSON cannot carry it.
    """
    try:
        built = msgspec.to_builtins(
            value, builtin_types=(Decimal,), str_keys=True, order="deterministic", enc_hook=_refuse
        )
        return _exact(built)
    except (TypeError, ArithmeticError, RecursionError) as error:
        raise ValueError("JSON cannot carry what the function returned") from error


def _refuse(value: object) -> object:
    raise TypeError(f"{type(value).__name__} is of no JSON type")


def _exact(value: Any) -> Json:  # noqa: ANN401  what msgspec makes of anything
    match value:
        case Decimal():
            return _number(value)
        case dict():
            return {str(name): _exact(inner) for name, inner in cast("dict[Any, Any]", value).items()}
        case list() | tuple():
            return [_exact(inner) for inner in cast("list[Any]", value)]
        case _:
            return value


def _number(value: Decimal) -> int | float:
    whole = int(value)
    number = whole if whole == value else float(value)
    # A money amount that changes its value on the way is worse than one that nobody can read.
    if Decimal(repr(number)) != value:
        raise ValueError("a decimal number has more digits than JSON readers keep")
    return number


def broken(name: str, error: BaseException) -> UpstreamError:
    """Say what it means that a function raised: only what it says itself is sure."""
    if isinstance(error, UpstreamFailed):
        return refused(name, str(error))
    if isinstance(error, UpstreamSilent):
        return silent(name, str(error))
    fix = "raise `UpstreamFailed` in the function where it is sure that nothing happened"
    return UpstreamSilent(f"`{name}` raised {type(error).__name__}", fix=fix)


def refused(name: str, said: str) -> UpstreamFailed:
    """Say that a function was sure of having done nothing. Its own words may hold anything, so they stay apart."""
    said = said[:SAID_CHARS_MAX]
    return UpstreamFailed(f"`{name}` says that nothing happened", fix="look at what it said", said=said)


def silent(name: str, said: str) -> UpstreamSilent:
    """Say that a function does not know what it did."""
    said = said[:SAID_CHARS_MAX]
    return UpstreamSilent(f"`{name}` does not know whether it happened", fix="look at what it said", said=said)
