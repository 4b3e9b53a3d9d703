"""The shape of a file of page actions: what may be said of a page, and nothing that clicks or runs what it likes."""

from typing import Literal

from interlock.contract.scalar import ANY_NUMBER, COUNT, FLAG, NAME, POSITIVE, TEXT, Leaf, matching, one_of
from interlock.contract.shape import Either, Many, Named, Table
from interlock.tool.browser_plan import FieldKind, ValueKind

WHERE = matching("an address, or a path below the host of the file", r"(?:https?://|/)\S{0,500}", "/orders/{order}")
ARGUMENT = matching("the name of an argument", r"[A-Za-z_][A-Za-z0-9_]{0,63}", "order")
WrittenKind = FieldKind | Literal["file"]
"""What a file may say of a field. That no file is uploaded is said where it is read."""
FIELD_KINDS: Leaf[WrittenKind] = one_of("text", "number", "select", "radio", "checkbox", "date", "file")
VALUE_KINDS: Leaf[ValueKind] = one_of("text", "number", "integer", "boolean")
PARAMETER_KINDS = one_of("text", "integer")
ROLES = one_of(
    *("textbox", "searchbox", "spinbutton", "combobox", "listbox", "checkbox", "switch", "cell", "heading", "status"),
    *("alert", "link", "img", "paragraph", "definition", "term", "row", "rowheader", "region"),
)
HEADER = matching("the name of a header or a cookie", r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", "Authorization")

_TEXTS = Either(short=TEXT, long=Many(of=TEXT, least=1))
_WHERES = Either(short=WHERE, long=Many(of=WHERE, least=1))
_SPOT = {"label": TEXT, "role": ROLES, "name": TEXT}
_SEEN = Table(keys={"heading": TEXT, "text": _TEXTS})
_THEN = Table(keys={**_SEEN.keys, "url": _WHERES})
_TYPED = {"about": TEXT, "pattern": TEXT, "max_length": POSITIVE}
_PARAMETER = Table(keys={**_TYPED, "kind": PARAMETER_KINDS})
_FIELD = Table(
    keys={
        **_SPOT,
        **_TYPED,
        "kind": FIELD_KINDS,
        "needed": FLAG,
        "min": ANY_NUMBER,
        "max": ANY_NUMBER,
        "decimals": COUNT,
        "options": Many(of=TEXT, least=1),
    },
    needed=frozenset({"kind"}),
)
_VALUE = Table(
    keys={**_SPOT, **_TYPED, "test_id": TEXT, "kind": VALUE_KINDS, "needed": FLAG}, needed=frozenset({"kind"})
)
_LOG_IN = Table(
    keys={
        "open": WHERE,
        "url": _WHERES,
        "user": Table(keys={"label": TEXT, "is": TEXT}, needed=frozenset({"label", "is"})),
        "password": TEXT,
        "submit": TEXT,
        "then": _THEN,
        "header": HEADER,
        "scheme": NAME,
        "cookie": HEADER,
        "storage_state": FLAG,
    }
)
ACTION = Table(
    keys={
        "about": TEXT,
        "open": WHERE,
        "parameters": Named(of=_PARAMETER, names=ARGUMENT),
        "allow": Many(of=WHERE, least=1),
        "lost": Many(of=WHERE, least=1),
        "may_post": Many(of=WHERE, least=1),
        "script_errors": FLAG,
        "log_in": _LOG_IN,
        "expect": _SEEN,
        "fields": Named(of=_FIELD, names=ARGUMENT),
        "leave": Many(of=TEXT, least=1),
        "submit": TEXT,
        "then": _THEN,
        "read": Named(of=_VALUE, names=ARGUMENT),
    },
    needed=frozenset({"about", "open", "allow", "expect"}),
)
FILE = Named(of=ACTION, names=NAME)
