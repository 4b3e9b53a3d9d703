"""The commands by which a person says who they are, as a part of the table."""

from interlock.door.cli.command import WHO, Command, arg, port

LOGIN: tuple[Command, ...] = (
    Command(
        name="login",
        says="log in at an OpenID provider that the tenant believes, and be that person from now on",
        run="login:log_in",
        example="--issuer corp",
        takes=(
            arg("--issuer", metavar="NAME", help="which one, by name or address; needed where there are several"),
            arg("--device", action="store_true", help="print a code instead, to be typed in a browser anywhere"),
            arg("--port", type=port, default=0, metavar="N", help="where the browser comes back to on this machine"),
            arg("--open", action="store_true", help="open the browser, also where no screen is found"),
            arg("--no-open", action="store_true", help="only print the address"),
            arg("--scope", metavar="S", help="what is asked for besides `openid`; parts with spaces"),
            arg("--client-id", metavar="ID", help="the client that is registered there; default: the audience"),
            arg(
                "--ask-audience",
                action="store_true",
                help="name the audience in a parameter of its own, as Auth0 wants",
            ),
            arg("--client-secret", action="store_true", help="it has a secret, read as `secret set` reads one"),
        ),
        more="What shows who you are is kept in a file that only you can read, for this tenant of this store, and "
        "never printed. `--account`, `--sign-with` and `--as` at a command come before it.",
    ),
    Command(
        name="logout",
        says="be nobody but the user of this machine again, and have the issuer take back what renews the login",
        run="logout:log_out",
    ),
    Command(
        name="whoami",
        says="say who you are to a command here: how you are known, with which roles, until when",
        run="whoami:whoami",
        takes=WHO,
    ),
)
