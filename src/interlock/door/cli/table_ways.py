"""The commands that let agents in over a network or a pipe. `table` has all the others."""

from collections.abc import Mapping

from interlock.door.cli.command import Command, arg

ALONE: Mapping[str, str] = {"mcp": "stdio"}
"""What the first word of a command means by itself."""

_PLACE = (
    arg("--workflow", metavar="W", help="the workflow; needed where several are published"),
    arg("--env", metavar="E", help="the environment; needed where it has several"),
)

WAYS_IN: tuple[Command, ...] = (
    Command(
        name="mcp stdio",
        says="be the MCP server of a client that starts this program; `interlock mcp` alone means it",
        run="mcp:over_stdio",
        example="--workflow support-refunds --env dev --agent refund-bot",
        takes=(
            *_PLACE,
            arg("--agent", metavar="A", help="the agent that asks; default: the only one of the contract, or `mcp`"),
            arg("--for", dest="principal", metavar="P", help="on whose behalf; default: your user name"),
        ),
        more="It has the right to perform on the store until the client closes its end.",
    ),
)
