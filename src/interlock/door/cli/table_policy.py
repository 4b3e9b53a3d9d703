"""The commands about policy over history. `table` has all the others."""

from interlock.door.cli.command import PLACE, Command, arg

OVER_HISTORY: tuple[Command, ...] = (
    Command(
        name="policy diff",
        says="say what changed between two contracts, and which way each change goes",
        run="policy_diff:diffed",
        example="old.yaml new.yaml",
        takes=(
            arg("files", nargs="+", metavar="FILE", help="the contract before and the one after"),
            arg("--in-force", action="store_true", help="the one before is in force, FILE is the one after"),
            arg("--allow-looser", action="store_true", help="end with 0 whatever changed"),
            *PLACE,
        ),
        more="exit codes: 0 if every change only closes, 3 if one opens something or cannot be ordered",
    ),
    Command(
        name="policy backtest",
        says="put recorded decisions to another contract, and say what would come of them",
        run="policy_backtest:backtested",
        example="new.yaml --since 30d",
        takes=(
            arg("candidate", nargs="?", metavar="FILE", help="the contract that may be published"),
            arg("--in-force", action="store_true", help="instead: do the decisions follow from their own contracts?"),
            *PLACE,
            arg("--since", metavar="TIME", help="only decisions from then on: `30d` ago, or a date (UTC)"),
            arg("--last", type=int, metavar="N", help="only the newest N decisions"),
            arg("--mode", metavar="MODE", help="as if this mode were in force; default: as recorded"),
            arg("--examples", type=int, default=3, metavar="N", help="so many actions for each move (default 3)"),
            arg("--max-looser", type=int, default=0, metavar="N", help="end with 0 up to so many (default 0)"),
        ),
        more="exit codes: 0, 3 if decisions became looser, 1 if the record does not hold",
    ),
    Command(
        name="policy prove",
        says="prove what holds of every call, or show the call that breaks it",
        run="policy_prove:proved",
        example="contract.yaml --invariant invariants.yaml",
        takes=(
            arg("contract", metavar="CONTRACT", help="the contract"),
            arg("--invariant", action="append", metavar="FILE", help="invariants, in YAML; may be said again"),
            arg("--only-these", action="store_true", help="without those that must hold of every contract"),
            arg("--seconds", type=int, default=10, metavar="N", help="of the solver, for each look (default 10)"),
        ),
        more="exit codes: 0 if all are proved, 3 if one is refuted or says nothing, 1 if one could not be shown",
    ),
)
