"""The part of the table of commands that is for whoever begins, and for the installation itself."""

from interlock.door.cli.command import Command, arg

FIRST: tuple[Command, ...] = (
    Command(
        name="demo",
        says="show what Interlock does, on a small company of its own",
        run="demo:demo",
        example="--seed 2",
        takes=(
            arg("--seed", type=int, default=1, metavar="N", help="draw another company (default 1)"),
            arg("--into", default="interlock-demo", metavar="FOLDER", help="where to put it (default interlock-demo/)"),
        ),
        more="exit codes: 0 if everything went as the tickets expect and the ledger verifies, 1 if not",
    ),
    Command(
        name="contract init",
        says="begin: write a contract, tools that work, and cases, for a workflow of your own",
        run="contract_init:begun",
        example="refunds --domain support-refunds --yes",
        takes=(
            arg("folder", nargs="?", metavar="DIR", help="where to write them; default: the current folder"),
            arg(
                "--domain",
                metavar="DOMAIN",
                choices=("support-refunds", "it-access", "crm-hygiene", "code-changes", "finance-anomaly"),
                help="support-refunds, it-access, crm-hygiene, code-changes or finance-anomaly",
            ),
            arg(
                "--pattern",
                metavar="PATTERN",
                choices=("router", "verified", "workflow", "drafts", "panel"),
                help="how agents share the job: router (the default), verified, workflow, drafts or panel",
            ),
            arg("--workflow", metavar="NAME", help="what to call the job; default: the domain"),
            arg(
                "--mode",
                metavar="MODE",
                choices=("read_only", "suggest", "ask", "act"),
                help="how far it may go in production: read_only, suggest, ask (the default) or act",
            ),
            arg("--yes", action="store_true", help="ask nothing: what is not said is the default"),
        ),
        more="What is not said is asked for, if a person sits there. No file is ever overwritten.",
    ),
    Command(
        name="help",
        says="explain a word, a page of the documentation, or a command",
        run="helping:explained",
        example="lease",
        takes=(
            arg("topic", nargs="*", metavar="TOPIC", help="nothing said: list them"),
            arg("--man", action="store_true", help="instead: print the manual page, for `man`"),
        ),
    ),
    Command(
        name="doctor",
        says="look at everything that Interlock stands on, and say what to mend",
        run="doctor:looked_after",
        takes=(arg("--anchors", metavar="FILE", help="a file of anchors to look at; default: beside the keys"),),
        example="--anchors anchors.jsonl",
        more="It changes nothing. exit codes: 0 if nothing is wrong, 1 if something is",
    ),
)
LAST: tuple[Command, ...] = (
    Command(
        name="migrate",
        says="bring the tables of the store to the version that this program writes",
        run="migrating:migrate",
        example="--dry-run",
        takes=(arg("--dry-run", action="store_true", help="say what would change, and change nothing"),),
        more="End every process that works on the store first, and keep a backup. Versions only go forward.",
    ),
    Command(
        name="completion",
        says="print a script that completes commands, options and files in a shell",
        run="completion:script",
        example="bash",
        takes=(arg("shell", metavar="SHELL", choices=("bash", "zsh", "fish"), help="bash, zsh or fish"),),
        more="bash: `source <(interlock completion bash)` in ~/.bashrc",
    ),
)
