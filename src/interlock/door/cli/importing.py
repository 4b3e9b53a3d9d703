"""`tools import`: what a server has, as lines to put into a contract. Nothing is written, and nothing is believed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from interlock.contract.ir import Contract
from interlock.contract.lint import alike
from interlock.contract.problem import nearest
from interlock.contract.read import load
from interlock.contract.written import Written, yaml_text
from interlock.door.cli.reading import InputWrong
from interlock.door.cli.render import clean
from interlock.door.cli.reviewing import broker, environment_of
from interlock.door.cli.screen import Typed
from interlock.tool.mcp.listed import Offer
from interlock.tool.mcp.review import offered

_COMMENT_MAX = 100
_NAME_MAX = 128


def imported(typed: Typed) -> int:
    """Ask a server what it has, and print a stanza for each tool that the contract does not name yet."""
    file, server = Path(typed.given.file), typed.given.server
    contract = load(file)
    if server not in contract.servers:
        raise InputWrong(f"the contract has no server `{server}`", fix=nearest(server, contract.servers))
    environment = environment_of(contract, typed.given.env)
    offers = offered(contract, server, environment, file.parent, broker(typed))
    known = {tool.source for tool in contract.tools.values()}
    new = [offer for _, offer in sorted(offers.items()) if f"mcp:{server}/{offer.name}" not in known]
    fit = [offer for offer in new if offer.manifest is not None]
    names = _names(server, fit, contract)
    stanzas = "\n".join(_stanza(server, offer, names[offer.name]) for offer in fit)
    data = {"server": server, "tools": [_data(server, offer) for offer in new], "yaml": stanzas}
    typed.screen.show(data, stanzas.rstrip("\n") if fit else f"`{server}` has no tool that the contract lacks")
    for offer in new:
        if offer.manifest is None:
            typed.screen.note(f"note: `{offer.name}` can be no tool: {offer.why_not}")
    if fit:
        where = "below `tools:` of the contract, and say of each what it does and what is at stake"
        typed.screen.note(f"hint: put those that you need {where}")
    return 0


def _names(server: str, offers: Sequence[Offer], contract: Contract) -> dict[str, str]:
    """Name each tool as a contract can, no two alike to anybody who reads them or to a client that rewrites them."""
    taken, names = {alike(name) for name in contract.tools}, dict[str, str]()
    for offer in offers:
        name = _fitting(offer.name)
        if alike(name) in taken:
            name = _fitting(f"{server}.{offer.name}")
        number = 2
        while alike(name) in taken:
            name = f"{_fitting(f'{server}.{offer.name}')[: _NAME_MAX - 4]}-{number}"
            number += 1
        taken.add(alike(name))
        names[offer.name] = name
    return names


def _stanza(server: str, offer: Offer, name: str) -> str:
    """Write a tool in the strictest way: nobody starts it until somebody says what it is."""
    assert offer.manifest is not None, "it can be a tool"
    first = (offer.manifest.description.splitlines() or [""])[0]
    comments = [clean(first)[:_COMMENT_MAX]] if first else []
    if offer.hints:
        said = ", ".join(f"{name}={str(value).lower()}" for name, value in sorted(offer.hints.items()))
        comments.append(f"{server} itself says {clean(said)}; nobody relies on it")
    stanza: dict[str, Written] = {"from": f"mcp:{server}/{offer.name}", "effect": "opaque", "tier": "red"}
    text = yaml_text({name: stanza})
    head = "".join(f"  # {line}\n" for line in comments)
    return head + "".join(f"  {line}\n" for line in text.splitlines())


def _fitting(name: str) -> str:
    """Make a name of a contract's tool from one that a server gives."""
    fits = "".join(char if char.isascii() and (char.isalnum() or char in "_.-") else "_" for char in name)
    return fits.lstrip(".-")[:_NAME_MAX] or "tool"


def _data(server: str, offer: Offer) -> dict[str, Any]:
    manifest = offer.manifest
    return {
        "tool": f"{server}/{offer.name}",
        "fit": manifest is not None,
        "why_not": offer.why_not or None,
        "description": manifest.description if manifest is not None else None,
        "schema": dict(manifest.schema) if manifest is not None else None,
        "hints": dict(offer.hints),
    }
