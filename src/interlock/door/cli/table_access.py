"""The part of the table of commands that is about who may come in."""

from interlock.door.cli.command import WHO, Command, arg

_TOKEN = arg("id", metavar="TOKEN", help="the id of a token, or a unique beginning of it")

ACCESS: tuple[Command, ...] = (
    Command(
        name="token new",
        says="issue a token for an agent or a service, and print it once",
        run="tokens:new",
        example="refund-bot --workflow shop --env prod --expires 90d",
        takes=(
            arg("name", metavar="NAME", help="what people call it: letters, digits and `._:/-`"),
            arg("--workflow", metavar="W", help="the one workflow that it is for; an agent needs one"),
            arg("--env", metavar="E", help="the one environment that it is for; an agent needs one"),
            arg("--expires", required=True, metavar="TIME", help="for how long it is good: `90d`, at most 366 days"),
            arg("--agent", action="append", metavar="A", help="may propose as A; may be said again; default: as any"),
            arg("--for", dest="principal", metavar="P", help="on behalf of P alone; default: of whomever it names"),
            arg("--service", action="store_true", help="for a service, which proposes nothing, instead of an agent"),
            arg("--role", action="append", metavar="ROLE[@W]", help="what it may do on the API; may be said again"),
            arg("--rate", type=int, default=0, metavar="N", help="at most so many calls a minute"),
            arg("--key", metavar="FILE", help="a public key (`.pub`) that must have signed every proposal"),
            *WHO,
        ),
        more="roles: viewer, operator, approver, auditor, admin; `viewer@shop` holds in the workflow `shop` alone.\n"
        "The token is printed once, to standard output, and kept nowhere: only a hash of it is.",
    ),
    Command(
        name="token list",
        says="list tokens: what each is for, and until when",
        run="tokens:listed",
        takes=(arg("--all", action="store_true", help="those that have ended as well, for 30 days"),),
    ),
    Command(
        name="token show", says="show what a token opens", run="tokens:show", example="t0a1b2c3d4e", takes=(_TOKEN,)
    ),
    Command(
        name="token revoke",
        says="let the holder of a token in no more, from the next transaction on",
        run="tokens:revoked",
        example="t0a1b2c3d4e",
        takes=(_TOKEN, *WHO),
    ),
    Command(
        name="token rotate",
        says="put a new token in the place of an old one, which goes on for a while",
        run="tokens:rotated",
        example="t0a1b2c3d4e --overlap 24h",
        takes=(
            _TOKEN,
            arg("--overlap", default="24h", metavar="TIME", help="how long the old one goes on (default 24h)"),
            arg("--expires", metavar="TIME", help="for how long the new one is good; default: as long as the old one"),
            *WHO,
        ),
        more="The new token opens what the old one does, and is printed once.",
    ),
)
