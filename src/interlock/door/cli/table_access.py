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
    Command(
        name="issuer add",
        says="believe what an OpenID provider says of people and services",
        run="issuers:add",
        example="corp --url https://login.example.com --audience interlock --map leads=approver",
        takes=(
            arg("name", metavar="NAME", help="what people call it; a person is `SUB@NAME` in the ledger"),
            arg("--url", required=True, metavar="ISSUER", help="exactly as it says of itself: `https://...`"),
            arg("--audience", required=True, metavar="AUD", help="whom its tokens have to be meant for"),
            arg("--groups-claim", default="groups", metavar="CLAIM", help="where it names groups (default `groups`)"),
            arg(
                "--map",
                action="append",
                metavar="GROUP=ROLE[@W]",
                help="a role of a group; may be said again",
            ),
            arg("--map-sub", action="append", metavar="SUB=WHAT", help="what a service may do; may be said again"),
            *WHO,
        ),
        more="A role is viewer, operator, approver, auditor, admin, or one of a contract; `@W` is in one workflow.\n"
        "WHAT is `ROLE[@W]`, or `WORKFLOW/ENV` or `WORKFLOW/ENV/AGENT` for a service that proposes.\n"
        "One of the same name gives way.",
    ),
    Command(name="issuer list", says="list whose word about people and services counts", run="issuers:listed"),
    Command(
        name="issuer remove",
        says="believe an issuer no more, from the next transaction on",
        run="issuers:remove",
        example="corp",
        takes=(arg("name", metavar="NAME", help="the name that it was added by"), *WHO),
    ),
    Command(
        name="access grant",
        says="give a person a role for a while",
        run="accesses:grant",
        example="ann approver --for 8h",
        takes=(
            arg("person", metavar="PERSON", help="as the ledger names them: a login, `SUB@ISSUER`"),
            arg("role", metavar="ROLE", help="viewer, operator, approver, auditor, admin, or one of a contract"),
            arg("--for", dest="span", required=True, metavar="TIME", help="how long: `8h`, at most 31 days"),
            arg("--workflow", metavar="W", help="in this workflow alone"),
            *WHO,
        ),
    ),
    Command(
        name="access revoke",
        says="take such a role back before its time",
        run="accesses:revoke",
        example="h0a1b2c3d",
        takes=(arg("id", metavar="RIGHT", help="its id, as `access review` prints it"), *WHO),
    ),
    Command(
        name="access show",
        says="show all that an agent may do, with the rule that allows each, and by which tokens",
        run="accesses:show",
        example="bot",
        takes=(
            arg("agent", metavar="AGENT", help="as the contract or the agent names itself"),
            arg("--workflow", metavar="W", help="only this workflow"),
            arg("--env", metavar="E", help="only this environment"),
        ),
    ),
    Command(
        name="access review",
        says="list who and what can do what, when each was used last, what expires soon",
        run="access_review:review",
        takes=(arg("--unused", default="90d", metavar="TIME", help="what counts as unused (default 90d)"),),
    ),
)
