"""The commands about secrets, as a part of the table."""

from interlock.door.cli.command import WHO, Command, arg, port

_WHOSE = (
    arg("name", metavar="NAME", help="as the contract names it: `secret: NAME` of a tool"),
    arg("--workflow", required=True, metavar="W", help="the workflow that it belongs to"),
    arg("--env", required=True, metavar="E", help="the environment that it belongs to"),
)

SECRETS: tuple[Command, ...] = (
    Command(
        name="secret set",
        says="keep a secret in the encrypted file; its text comes from standard input or is typed unseen",
        run="secrets:put",
        example="billing-write --workflow support-refunds --env prod",
        takes=(
            *_WHOSE,
            arg("--oauth", action="store_true", help="it is what access tokens are bought with, as JSON"),
            *WHO,
        ),
        more="One that is there is changed, from the next call on. The ledger gets its name, and nothing of its text.",
    ),
    Command(
        name="secret login",
        says="log in at an MCP server in a browser, and keep what renews its tokens in the encrypted file",
        run="secret_login:logged_in",
        example="desk --workflow support-refunds --env prod --url https://desk.example/mcp",
        takes=(
            *_WHOSE,
            arg("--url", metavar="URL", help="the server, as the contract names it; not needed to log in again"),
            arg("--scope", metavar="S", help="what is asked for, instead of what the server wants; parts with spaces"),
            arg("--client-id", metavar="ID", help="log in as this client, which is registered there"),
            arg("--client-secret", action="store_true", help="it has a secret, read as `secret set` reads one"),
            arg("--client-metadata", metavar="URL", help="log in as the client that this document is about"),
            arg("--port", type=port, default=0, metavar="N", help="where the browser comes back to on this machine"),
            arg("--device", action="store_true", help="print a code instead, to be typed in a browser anywhere"),
            arg("--open", action="store_true", help="open the address in the browser, instead of only printing it"),
            *WHO,
        ),
        more="Nobody sees a token: it is bought as a tool is carried out, and goes to that server and nowhere else.",
    ),
    Command(
        name="secret list",
        says="list the secrets in the encrypted file: whose, since when, when last changed; never what they are",
        run="secrets:listed",
    ),
    Command(
        name="secret remove",
        says="take a secret out of the encrypted file",
        run="secrets:removed",
        example="billing-write --workflow support-refunds --env prod",
        takes=(*_WHOSE, *WHO),
    ),
    Command(
        name="secret check",
        says="say of each secret that a contract in force names whether it is there",
        run="secrets:checked",
        more="exit codes: 0 if every one is there, 1 if one is not, or cannot be reached",
    ),
)
