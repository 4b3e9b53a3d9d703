"""The commands that let agents in over a network or a pipe. `table` has all the others."""

from collections.abc import Mapping

from interlock.door.cli.command import PLACE, Command, arg, port

ALONE: Mapping[str, str] = {"mcp": "stdio"}
"""What the first word of a command means by itself."""

WAYS_IN: tuple[Command, ...] = (
    Command(
        name="serve",
        says="serve MCP and the HTTP API on one port, and perform, until it is told to stop",
        run="serving:serve",
        example="--port 7400",
        takes=(
            arg("--host", default="127.0.0.1", metavar="HOST", help="the address it is reached by (default 127.0.0.1)"),
            arg("--port", type=port, default=7400, metavar="PORT", help="the port; 0 is any (default 7400)"),
            arg("--name", action="append", metavar="NAME", help="a name it is reached by as well; may be said again"),
            arg("--tls-cert", dest="cert", metavar="FILE", help="its certificate, as PEM"),
            arg("--tls-key", dest="private_key", metavar="FILE", help="the key of that certificate"),
            arg("--behind-tls", action="store_true", help="a proxy in front of it speaks TLS"),
        ),
        more="Whoever comes in shows a token: `interlock token new NAME --workflow W --env E --expires 90d`. "
        "On another address than loopback it serves once there is one. "
        "SIGTERM ends it: what is under way is finished first.",
    ),
    Command(
        name="mcp stdio",
        says="be the MCP server of a client that starts this program; `interlock mcp` alone means it",
        run="mcp:over_stdio",
        example="--workflow support-refunds --env dev --agent refund-bot",
        takes=(
            *PLACE,
            arg("--agent", metavar="A", help="the agent that asks; default: the only one of the contract, or `mcp`"),
            arg("--for", dest="principal", metavar="P", help="on whose behalf; default: your login, or your user name"),
            arg(
                "--url",
                metavar="URL",
                help="pass everything on to an interlock that serves there, with INTERLOCK_TOKEN",
            ),
        ),
        more="It has the right to perform on the store until the client closes its end. Where several clients run at "
        "once, let one `interlock serve` perform, and start each with `--url http://127.0.0.1:7400/mcp`.",
    ),
    Command(
        name="mcp import",
        says="bring the MCP servers of a client or an editor behind a contract, and put Interlock in their place",
        run="mcp_import:imported",
        example="~/.cursor/mcp.json",
        takes=(
            arg("file", metavar="FILE", help="the file in which the client lists its MCP servers"),
            arg("--contract", default="contract.yaml", metavar="FILE", help="the contract (default contract.yaml)"),
            arg("--workflow", default="desktop", metavar="W", help="the workflow (default desktop)"),
            arg("--env", default="dev", metavar="E", help="the environment (default dev)"),
            arg("--approver", action="append", metavar="NAME", help="who else agrees to writes; may be said again"),
            arg("--alone", action="store_true", help="nobody else does: you agree to what your own agent asks"),
        ),
        more="Twice: first it writes the contract and keeps the credentials; once that is published, it rewrites FILE. "
        "What stood there is kept beside it. Read: JSON of Claude Desktop, Claude Code, Cursor, Windsurf, Cline, "
        "Gemini CLI, VS Code, Zed; TOML of Codex.",
    ),
    Command(
        name="mcp restore",
        says="put back what a client's configuration was before `mcp import` rewrote it",
        run="mcp_import:restored",
        example="~/.cursor/mcp.json",
        takes=(
            arg("file", metavar="FILE", help="the file that was rewritten"),
            arg("--over", action="store_true", help="even if servers were added to it since"),
        ),
    ),
)
