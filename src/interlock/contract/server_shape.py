"""The shape of what a contract says of the servers whose tools it uses."""

from interlock.contract.scalar import FLAG, NAME, TEXT, Leaf, matching, one_of
from interlock.contract.shape import Many, Named, Table
from interlock.core.mcp import HANDSHAKES, STATELESS

VARIABLE = matching("a name of a variable", r"[A-Za-z_][A-Za-z0-9_]{0,127}", "CRM_TOKEN")
HEADER = matching("a name of a header", r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", "X-Team")
URL = matching(
    "an address without a user, a password and a fragment",
    r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[1-9][0-9]{0,4})?(?:[/?][!$-;=?-Z_a-z~\[\]]*)?",
    "https://desk.example/mcp",
)
PROTOCOL: Leaf[str] = one_of(*HANDSHAKES, STATELESS)

STARTED = ("command", "env", "sandbox")
ADDRESSED = ("url", "headers", "secret", "private")

_SERVER = {
    "command": Many(of=TEXT, least=1),
    "env": Named(of=TEXT, names=VARIABLE),
    "sandbox": FLAG,
    "url": URL,
    "headers": Named(of=TEXT, names=HEADER),
    "secret": NAME,
    "private": FLAG,
    "protocol": PROTOCOL,
}
SERVERS = Named(of=Table(keys={**_SERVER, "in": Named(of=Table(keys=_SERVER), names=NAME)}), names=NAME)
"""Under `in` stands what is different in an environment."""
