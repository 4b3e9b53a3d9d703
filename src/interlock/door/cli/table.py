"""The table of commands. `main` makes the parser from it, and a test holds the documentation against it."""

from interlock.door.cli.command import PLACE, WHO, Command, arg
from interlock.door.cli.table_access import ACCESS
from interlock.door.cli.table_first import FIRST, LAST
from interlock.door.cli.table_ledger import KEPT_OUTSIDE
from interlock.door.cli.table_login import LOGIN
from interlock.door.cli.table_policy import OVER_HISTORY
from interlock.door.cli.table_record import RECORD
from interlock.door.cli.table_secret import SECRETS
from interlock.door.cli.table_tools import OF_SERVERS
from interlock.door.cli.table_ways import WAYS_IN

GROUPS = {
    "action": "what agents asked for",
    "run": "tasks of agents, and the calls that each of them made",
    "approvals": "what waits for a person",
    "switch": "stop, and go on",
    "budget": "what may be spent, and what was",
    "ledger": "the record that nobody rewrites unnoticed",
    "witness": "a witness that cosigns ledgers of others",
    "data": "what is kept of whom",
    "contract": "what a workflow may do",
    "tools": "what servers say of their tools, and what was accepted of it",
    "policy": "why a call goes on or does not, and what a change would do",
    "secret": "credentials of tools",
    "clock": "the time of the store",
    "keys": "keys that people and agents sign with",
    "mcp": "agents that speak the Model Context Protocol",
    "token": "what agents and services are known by",
    "issuer": "who vouches for people and services",
    "access": "who may do what",
}
"""The first words of commands that have two, in one line each."""

OUTCOMES = """\
exit codes: 0 done, 3 parked, 4 suggested, 5 refused, 6 failed, 7 uncertain;
1 if the command itself could not be carried out"""

_ID = arg("id", metavar="ACTION", help="the id of an action, or as much of its beginning as is unique")
_SCOPE = (
    arg("--workflow", metavar="W", help="only this workflow"),
    arg("--env", metavar="E", help="only this environment"),
    arg("--agent", metavar="A", help="only this agent"),
    arg("--tool", metavar="T", help="only this tool"),
    arg("--class", dest="effect", metavar="CLASS", help="only this effect class: read, idempotent, opaque, ..."),
)
_UNDO_TOO = arg("--undo-too", action="store_true", help="hold back the undos of operators as well")
_JSON_ARGUMENTS = (
    arg("arguments", nargs="?", metavar="JSON", help="the arguments, as a JSON object"),
    arg("--args", dest="file", metavar="FILE", help="read the arguments from FILE; `-` is standard input"),
)

COMMANDS: tuple[Command, ...] = (
    *FIRST,
    Command(
        name="call",
        says="call a tool as an agent would, and print the outcome",
        run="calling:call",
        example='refund \'{"invoice": "INV-7", "usd": 20}\'',
        takes=(
            arg("tool", metavar="TOOL", help="the tool, as the contract names it"),
            *_JSON_ARGUMENTS,
            *PLACE,
            arg("--agent", metavar="A", help="the agent that asks; default: the only one of the contract, or `cli`"),
            arg("--for", dest="principal", metavar="P", help="on whose behalf; default: your login, or your user name"),
            arg("--run", dest="run_id", metavar="R", help="the run it belongs to; default: one of its own"),
            arg("--key", metavar="K", help="an idempotency key: the same call under it is answered from the record"),
            arg("--sign-with", metavar="KEY", help="the Ed25519 key file of the agent, where it has to sign"),
        ),
        more=OUTCOMES,
    ),
    Command(
        name="action list",
        says="list actions, the newest first",
        run="actions:listed",
        example="--limit 50 --state parked",
        takes=(
            arg("--state", action="append", metavar="S", help="only this state; may be said again"),
            arg("--run", dest="run_id", metavar="R", help="only this run"),
            arg("--workflow", metavar="W", help="only this workflow"),
            arg("--env", metavar="E", help="only this environment"),
            arg("--tool", metavar="T", help="only this tool"),
            arg("--agent", metavar="A", help="only what this agent asked for"),
            arg("--for", dest="principal", metavar="P", help="only what was asked on behalf of P"),
            arg("--limit", type=int, default=50, metavar="N", help="at most so many (default 50)"),
        ),
    ),
    Command(
        name="action show", says="show where an action stands", run="actions:show", example="a1m8gnyf6j", takes=(_ID,)
    ),
    Command(
        name="action pictures",
        says="say which pictures of pages there are of an action, and write them as files",
        run="pictures:pictures",
        example="a1m8gnyf6j --out evidence",
        takes=(_ID, arg("--out", metavar="FOLDER", help="write them into this folder, as PNG")),
    ),
    Command(
        name="action start",
        says="start a draft, as an action of your own that waits for the consent of others",
        run="actions:start",
        example="a1m8gnyf6j",
        takes=(_ID, *WHO),
        more=OUTCOMES,
    ),
    Command(
        name="action resolve",
        says="say what became of an action whose end nobody knows",
        run="actions:resolved",
        example="a1m8gnyf6j happened",
        takes=(
            _ID,
            arg(
                "verdict",
                metavar="VERDICT",
                choices=("happened", "did-not-happen", "abandon", "retry"),
                help="what you found out",
            ),
            arg("--result", metavar="JSON", help="with `happened`: the fields of the result that its undo needs"),
            arg(
                "--first-may-still-happen",
                action="store_true",
                help="with `retry`: you know that the first one may still happen",
            ),
            *WHO,
        ),
        more="`retry` is a new action, and ends with its exit code:\n" + OUTCOMES,
    ),
    Command(
        name="run list",
        says="list runs, the one that changed last first",
        run="runs:list_runs",
        example="--workflow support --limit 20",
        takes=(
            arg("--workflow", metavar="W", help="only this workflow"),
            arg("--env", metavar="E", help="only this environment"),
            arg("--agent", metavar="A", help="only runs of this agent"),
            arg("--limit", type=int, default=50, metavar="N", help="at most so many (default 50)"),
        ),
    ),
    Command(
        name="run show",
        says="show what became of a run: its actions, their cost, who is waited for, what stands of it",
        run="runs:show",
        example="order-4711",
        takes=(
            arg("run", metavar="RUN", help="the name of the run"),
            arg("--limit", type=int, default=50, metavar="N", help="list at most so many actions (default 50)"),
        ),
    ),
    Command(name="approvals list", says="list what waits for a person", run="approvals:listed"),
    Command(
        name="approvals show",
        says="show everything that a yes would be about",
        run="approvals:show",
        example="a1m8gnyf6j",
        takes=(_ID,),
    ),
    Command(
        name="approvals approve",
        says="say yes to exactly what was shown",
        run="approvals:approve",
        example="a1m8gnyf6j --seen 00e766c05ab314e7",
        takes=(
            _ID,
            arg("--seen", metavar="HASH", help="what `approvals show` printed; without it you are shown and asked"),
            *WHO,
        ),
        more="The grant opens what HASH stands for and nothing else. If it has changed meanwhile, look again.",
    ),
    Command(name="approvals deny", says="say no", run="approvals:deny", example="a1m8gnyf6j", takes=(_ID, *WHO)),
    Command(
        name="approvals edit",
        says="change the arguments of an action that waits; others than you then decide",
        run="approvals:edit_arguments",
        example="a1m8gnyf6j '{\"usd\": 20}'",
        takes=(_ID, *_JSON_ARGUMENTS, *WHO),
    ),
    Command(
        name="undo",
        says="reverse an effect, or all effects of a run, the last one first",
        run="undoing:undo",
        example="a1m8gnyf6j",
        takes=(
            arg("id", nargs="?", metavar="ACTION", help="the id of an action, or a unique beginning of it"),
            arg("--run", dest="run_id", metavar="R", help="every effect of this run"),
            arg("--plan", action="store_true", help="say what would be undone, and do nothing"),
            arg("--even-if-changed", action="store_true", help="go on although the record has changed since"),
            *WHO,
        ),
        more=OUTCOMES,
    ),
    Command(
        name="attend",
        says="look after what waits: leases, approvals that were given, undos that were asked for",
        run="attending:attending",
        takes=(
            arg("--once", action="store_true", help="look once and end"),
            arg("--every", type=float, default=1.0, metavar="SECONDS", help="how often to look (default 1)"),
        ),
        example="--every 5",
        more="It has the right to perform on the store until it ends; other commands work beside it.",
    ),
    Command(
        name="switch stop",
        says="nothing starts, from the next moment on; prints what is in flight",
        run="switches:stop",
        example="--tool refund",
        takes=(*_SCOPE, _UNDO_TOO, *WHO),
        more="On a locked or broken SQLite file it leaves FILE.stop beside it, which stops every tenant.",
    ),
    Command(
        name="switch suggest",
        says="reads go on, writes end as previews",
        run="switches:suggest",
        example="--tool refund",
        takes=(*_SCOPE, _UNDO_TOO, *WHO),
    ),
    Command(
        name="switch read-only",
        says="reads go on, writes are refused",
        run="switches:read_only",
        example="--tool refund",
        takes=(*_SCOPE, _UNDO_TOO, *WHO),
    ),
    Command(
        name="switch resume",
        says="take a switch back, and remove a stop file",
        run="switches:resume",
        example="--all",
        takes=(
            arg("id", nargs="?", metavar="SWITCH", help="which one; needed where several are thrown"),
            arg("--all", action="store_true", help="every switch of this tenant"),
            *WHO,
        ),
    ),
    Command(name="switch show", says="show what is stopped, and what is in flight", run="switches:show"),
    Command(
        name="mode",
        says="show how far workflows may go, or say it anew",
        run="doors:mode",
        example="shop ask",
        takes=(
            arg("workflow", nargs="?", metavar="WORKFLOW", help="nothing said: show them all"),
            arg("mode", nargs="?", metavar="MODE", help="read_only, suggest, ask or act"),
            arg("--env", metavar="ENV", help="the environment; needed where the workflow has several"),
            *WHO,
        ),
    ),
    Command(
        name="glass",
        says="break the glass: let a scope act for a while in spite of its mode",
        run="doors:glass",
        example="--for 15m",
        takes=(arg("--for", dest="span", required=True, metavar="TIME", help="how long: `15m`, `2h`"), *_SCOPE, *WHO),
        more="It never lifts `switch stop`. It is recorded, it expires, and every action that it let through says so.",
    ),
    Command(
        name="clock accept",
        says="vouch for a clock that has jumped, so that actions start again",
        run="doors:accept_the_clock",
        takes=WHO,
    ),
    Command(
        name="budget show",
        says="show what each budget allows, and where it went",
        run="budgets:show",
        example="--run RUN",
        takes=(
            arg("--run", dest="run_id", metavar="R", help="the budgets of this run as well"),
            arg("--all", action="store_true", help="periods that are over and every run as well"),
        ),
    ),
    Command(
        name="budget raise",
        says="make room in a budget for the rest of its period",
        run="budgets:raised",
        example="shop:prod/usd/day --by 5.00",
        takes=(
            arg("budget", metavar="BUDGET", help="as `budget show` prints it, or a unique beginning of it"),
            arg(
                "--by", dest="amount", required=True, metavar="AMOUNT", help="in its unit: `5.00` of usd, `10` of calls"
            ),
            arg("--reopen", action="store_true", help="let it admit again after an overrun"),
            *WHO,
        ),
    ),
    *RECORD,
    Command(
        name="contract check",
        says="say what is wrong with contracts, what was assumed, what is not enforced",
        run="contracts:checked",
        example="contract.yaml",
        takes=(arg("files", nargs="+", metavar="FILE", help="contracts, in any of their shapes"),),
        more="exit codes: 0 if every file can be honoured, 1 if not",
    ),
    Command(
        name="contract show",
        says="write a contract out in full, as it is read",
        run="contracts:show",
        example="contract.yaml --tool refund",
        takes=(
            arg("file", nargs="?", metavar="FILE", help="nothing said: the one that is in force"),
            arg("--tool", metavar="T", help="only this tool"),
            *PLACE,
        ),
    ),
    Command(name="contract schema", says="print the JSON Schema of contracts, for editors", run="contracts:schema_of"),
    Command(
        name="contract publish",
        says="put a contract in force for its workflow in one environment",
        run="contracts:publish",
        example="contract.yaml --env dev",
        takes=(
            arg("file", metavar="FILE", help="the contract"),
            arg("--env", required=True, metavar="ENV", help="the environment, as the contract names it"),
            *WHO,
        ),
    ),
    Command(
        name="policy explain",
        says="say which rules decide a call, where they stand and what met them",
        run="policies:explained",
        example="refund '{\"usd\": 20}' --contract contract.yaml",
        takes=(
            arg("tool", nargs="?", metavar="TOOL", help="the tool of a call that you make up"),
            *_JSON_ARGUMENTS,
            arg("--contract", metavar="CONTRACT", help="the contract to judge it by"),
            arg("--env", metavar="E", help="in this environment: its mode counts"),
            arg("--mode", metavar="MODE", help="as if this mode were in force"),
            arg("--fact", action="append", metavar="NAME=JSON", help="what a fact is; may be said again"),
            arg("--action", metavar="ACTION", help="instead: explain the decision about a recorded action"),
        ),
    ),
    Command(
        name="policy test",
        says="judge a table of cases, and say which came out otherwise",
        run="policies:tested",
        example="cases.yaml",
        takes=(
            arg("file", metavar="FILE", help="the cases, in YAML"),
            arg("--contract", metavar="CONTRACT", help="judge by this contract instead of the one that FILE names"),
        ),
        more="exit codes: 0 if all came out as expected, 1 if not",
    ),
    *OF_SERVERS,
    *OVER_HISTORY,
    *SECRETS,
    Command(
        name="explain",
        says="the whole story of an action on one screen",
        run="explain:explain",
        example="a1m8gnyf6j",
        takes=(_ID,),
    ),
    Command(
        name="verify",
        says="hold this installation to its promises, on a scratch store of the same kind",
        run="verifying:verify",
        example="--only budget --kill 1000",
        takes=(
            arg("--only", action="append", metavar="PROMISE", help="only this promise; may be said again"),
            arg("--kill", type=int, metavar="N", help="also kill N processes with -9 in the middle of what they do"),
            arg("--report", metavar="FILE", help="write what was found into FILE, signed with the key of the ledger"),
            arg("--check", metavar="FILE", help="instead: check the signature of a report, and say what it says"),
            arg("--key", metavar="KEY", help="with --check: the public key as you know it, from `ledger keys`"),
            arg("--list", action="store_true", help="instead: say what would be checked"),
        ),
        more="exit codes: 0 if every promise is kept, 1 if one is broken or could not be shown",
    ),
    Command(
        name="keys new",
        says="make a key file that a person signs approvals with, or an agent what it proposes",
        run="keys:new",
        example="ann",
        takes=(
            arg("name", metavar="NAME", help="whose key it is"),
            arg("--out", metavar="FILE", help="where to write it; default: NAME.pem here"),
            arg("--public", metavar="FILE", help="also write its public half, for `agents` of a contract or a token"),
        ),
    ),
    *WAYS_IN,
    *LOGIN,
    *ACCESS,
    *LAST,
    *KEPT_OUTSIDE,
)
