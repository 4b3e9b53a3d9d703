"""The commands about the record itself, as a part of the table: the ledger, backups."""

from interlock.door.cli.command import WHO, Command, arg

SUBJECT = (
    arg("subject", nargs="?", metavar="SUBJECT", help="whose data, as the tool names it"),
    arg("--run", metavar="RUN", help="instead: the data of a run whose tool names no subject"),
)

OLDER = arg(
    "--archive", action="append", metavar="FILE", help="an export of before entries were pruned; may be said again"
)

RECORD: tuple[Command, ...] = (
    Command(
        name="ledger show",
        says="print entries, the last ones if nothing else is said",
        run="ledger:show",
        example="--limit 50",
        takes=(
            arg("--after", type=int, metavar="INDEX", help="from this entry on"),
            arg("--action", metavar="ACTION", help="only the entries about this action"),
            arg("--limit", type=int, default=50, metavar="N", help="at most so many (default 50)"),
        ),
    ),
    Command(
        name="ledger verify",
        says="check the ledger of the store, an export, or the proof of an entry",
        run="ledger:verify",
        example="export.jsonl --key KEY",
        takes=(
            arg("file", nargs="?", metavar="FILE", help="an export or a proof; it takes no store and no secret"),
            arg("--key", metavar="KEY", help="the public key as you know it, from `interlock ledger keys`"),
            arg("--chain", metavar="FILE", help="with a proof: an export whose rotations lead from KEY to other keys"),
            arg("--anchors", action="append", metavar="FILE", help="a file of anchors; default: beside the keys"),
            arg("--witness", action="append", metavar="KEY", help="the key of a witness whose cosignatures you kept"),
            arg(
                "--tsa", action="append", metavar="CERTFILE", help="certificates that time stamps must lead to, in PEM"
            ),
            arg("--receipt", action="append", metavar="FILE", help="a receipt that a caller kept, as JSON"),
            arg("--state", action="store_true", help="hold the rows of the store against the entries as well"),
            arg("--lost", type=int, metavar="N", help="you know of the N entries that the ledger declares lost"),
            OLDER,
        ),
        more="exit codes: 0 if all is sound, 1 if anything is wrong, or lost and `--lost` does not name it",
    ),
    Command(
        name="ledger prove",
        says="print what proves one entry to whoever knows the public key",
        run="ledger:prove",
        example="17",
        takes=(arg("entry", metavar="ENTRY", help="the index of an entry, or an action: its last entry"), OLDER),
    ),
    Command(
        name="ledger export",
        says="write the whole ledger out, to be checked elsewhere",
        run="ledger:export_all",
        example="--out ledger.jsonl",
        takes=(arg("--out", metavar="FILE", help="into this file; default: standard output"),),
    ),
    Command(
        name="ledger prune",
        says="take out what ended longer ago than `retention.ledger` of its contract; every proof still holds",
        run="pruning:pruned",
        example="--archive ledger-2026.jsonl",
        takes=(
            arg("--archive", metavar="FILE", help="first write an export of all entries into this new file"),
            arg("--dry-run", action="store_true", help="say what would go, and do nothing"),
            arg("--yes", action="store_true", help="do not ask"),
            *WHO,
        ),
        more="Whoever attends does it too, once a day, without an archive.",
    ),
    Command(
        name="ledger adopt",
        says="take on a ledger that was restored or set back, so that actions start again",
        run="backups:adopted",
        example="--anchors anchors.jsonl",
        takes=(
            arg("--anchors", action="append", metavar="FILE", help="a file of anchors; default: beside the keys"),
            arg("--receipt", action="append", metavar="FILE", help="a receipt that a caller kept, as JSON"),
            arg("--lost", type=int, metavar="N", help="you know that N entries are lost"),
            arg("--nothing-newer", action="store_true", help="you know that nobody holds a newer head or receipt"),
            arg(
                "--keep-tokens", action="store_true", help="you know that no token was revoked, and no role taken back"
            ),
            *WHO,
        ),
        more="What was agreed to, started or asked for before needs a person again: it may have been done. Tokens of "
        "before, and roles for a while, end.",
    ),
    Command(
        name="backup",
        says="write down all that the store holds, beside a running gateway",
        run="backups:backed_up",
        example="monday.backup",
        takes=(
            arg("file", metavar="FILE", help="the file to write; one that is there is never written over"),
            arg("--with-keys", metavar="KEYS", help="keys that can be destroyed, into a second file: read the warning"),
        ),
        more="It has all tenants, no key and no seed. Without `master.seed` nothing of it can be restored.",
    ),
    Command(
        name="restore",
        says="put a backup into a store; nothing starts there until it is adopted",
        run="backups:brought_back",
        example="monday.backup --store new.db",
        takes=(
            arg("file", metavar="FILE", help="what `backup` wrote"),
            arg("--over", action="store_true", help="over all that the store holds, of every tenant"),
            arg("--with-keys", metavar="KEYS", help="take in the keys of this file; what is destroyed stays destroyed"),
            *WHO,
        ),
        more="Then run `interlock ledger adopt` for each tenant.",
    ),
    Command(
        name="data classes",
        says="list every class of data that is kept: what it is, what for, for how long, what makes it go",
        run="classes:listed",
    ),
    Command(
        name="data show",
        says="say how much is kept of a subject, and whether it may be erased",
        run="subjects:shown",
        example="C-17",
        takes=SUBJECT,
    ),
    Command(
        name="data export",
        says="hand out everything that is kept of a subject, a line of JSON for each action",
        run="subjects:exported",
        example="C-17 --out C-17.jsonl",
        takes=(*SUBJECT, arg("--out", metavar="FILE", help="into this file, for its owner alone to read")),
    ),
    Command(
        name="data erase",
        says="make what is kept of a subject unreadable for good; the ledger still verifies",
        run="subjects:erased",
        example="C-17 --yes",
        takes=(
            *SUBJECT,
            arg("--even-if-open", action="store_true", help="also what nobody knows the end of, which needs it"),
            arg("--yes", action="store_true", help="do not ask"),
            *WHO,
        ),
    ),
    Command(
        name="data expire",
        says="make what is older than the days of its contract unreadable for good",
        run="expiring:expired",
        example="--dry-run",
        takes=(arg("--dry-run", action="store_true", help="say what would become unreadable, and do nothing"), *WHO),
        more="Whoever attends does it too.",
    ),
    Command(
        name="data hold",
        says="forbid that what is kept of a subject is erased or expires",
        run="subjects:held",
        example="C-17 --why CASE-123",
        takes=(
            *SUBJECT,
            arg("--why", required=True, metavar="CODE", help="a code that stands in the ledger, such as a case"),
            *WHO,
        ),
    ),
    Command(
        name="data release",
        says="let what was held for law be erased again",
        run="subjects:released",
        example="C-17",
        takes=(*SUBJECT, *WHO),
    ),
)
