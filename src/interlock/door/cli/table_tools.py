"""The commands about tools of servers. `table` has all the others."""

from interlock.door.cli.command import Command, arg

_FILE = arg("file", metavar="FILE", help="the contract")

OF_SERVERS: tuple[Command, ...] = (
    Command(
        name="tools import",
        says="ask a server of a contract what it has, as lines to put into the contract",
        run="importing:imported",
        example="contract.yaml --server crm --env dev",
        takes=(
            _FILE,
            arg("--server", required=True, metavar="NAME", help="the server, as the contract names it"),
            arg("--env", required=True, metavar="E", help="as it is in this environment"),
        ),
        more="Each tool is opaque, red and of unknown price until you say otherwise. What is in the contract stays.",
    ),
    Command(
        name="tools review",
        says="show what servers say of the tools of a contract, and accept it",
        run="reviewing:reviewed",
        example="contract.yaml --env prod",
        takes=(
            _FILE,
            arg("--env", required=True, metavar="E", help="as the servers are in this environment"),
            arg("--server", metavar="NAME", help="only the tools of this server"),
            arg("--accept", action="append", metavar="PIN", help="accept what has this pin; may be said again"),
        ),
        more="What is accepted is written to FILE.tools.lock.\n"
        "exit codes: 0 if every tool is as it was reviewed, 3 if one is left",
    ),
    Command(
        name="tools pin",
        says="list what was reviewed of the tools of servers",
        run="reviewing:pinned",
        example="contract.yaml",
        takes=(_FILE,),
    ),
)
