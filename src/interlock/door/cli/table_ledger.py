"""The commands about the keys of ledgers, and those that keep heads outside, as a part of the table."""

from interlock.door.cli.command import WHO, Command, arg

KEPT_OUTSIDE: tuple[Command, ...] = (
    Command(
        name="ledger keys",
        says="print every generation of the key that the ledger is signed with, and what each signs",
        run="generations:keys",
        takes=(arg("--current", action="store_true", help="print the public key that signs now, and nothing else"),),
    ),
    Command(
        name="ledger rotate",
        says="let a new generation of the key sign the ledger from here on",
        run="generations:rotated",
        example="--why leaked",
        takes=(
            arg(
                "--why",
                required=True,
                metavar="CODE",
                help="a code that stands in the ledger, such as `leaked` or a case",
            ),
            arg("--yes", action="store_true", help="do not ask"),
            *WHO,
        ),
        more="Witnesses need the new key. Whoever knows an older one is led to it by the entry.",
    ),
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
                help="`file:PATH`, `git:PATH`, `witness:URL#KEY` or `rfc3161:URL#CERTFILE`; may be said again; "
                "default: beside the keys",
            ),
            arg("--push", action="store_true", help="push what was committed to a repository to its `origin`"),
        ),
        more="exit codes: 0 if every place has it, 1 if one has not, or has seen another ledger",
    ),
    Command(
        name="witness serve",
        says="cosign heads of ledgers, on a machine that those who run them do not run",
        run="witness:serve",
        example="--key w1.key --state w1.seen --trust KEY",
        takes=(
            arg("--key", required=True, metavar="FILE", help="the key file of this witness"),
            arg("--state", required=True, metavar="FILE", help="what it has seen; never set it back, never share it"),
            arg(
                "--trust",
                required=True,
                action="extend",
                nargs="+",
                metavar="KEY",
                help="the public key of a ledger, from `interlock ledger keys` there; of one ledger the newest last",
            ),
            arg(
                "--bind",
                default="127.0.0.1:8733",
                metavar="HOST:PORT",
                help="where to listen (default 127.0.0.1:8733: only this machine)",
            ),
        ),
        more="It signs one history of each ledger, and remembers on disk before it answers.",
    ),
    Command(
        name="witness key",
        says="make the key of a witness, or say how it is known",
        run="witness:key",
        example="new witness.example/w1",
        takes=(
            arg("verb", choices=("new", "show"), metavar="VERB", help="`new` makes one, `show` prints its public half"),
            arg("what", metavar="NAME|FILE", help="the name of a new one, such as witness.example/w1; the file of one"),
            arg("--out", metavar="FILE", help="where to write a new one; default: the end of its name, with `.key`"),
        ),
    ),
)
