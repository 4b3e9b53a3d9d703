"""The commands that keep heads outside, as a part of the table."""

from interlock.door.cli.command import Command, arg

KEPT_OUTSIDE: tuple[Command, ...] = (
    Command(
        name="ledger anchor",
        says="keep the signed head outside, where nobody who edits the database can write",
        run="anchoring:anchored",
        example="--to anchors.jsonl",
        takes=(
            arg(
                "--to",
                action="append",
                metavar="PLACE",
                help="a file that only grows; may be said again; default: the book beside the keys",
            ),
        ),
        more="exit codes: 0 if every place has it, 1 if one has not, or has seen another ledger",
    ),
)
