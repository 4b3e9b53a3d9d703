"""`completion`: a script that completes commands, options and files in a shell, made from the table of commands."""

import shlex
from collections.abc import Iterable, Iterator, Mapping

from interlock.door.cli.command import Argument, Command
from interlock.door.cli.screen import Typed
from interlock.door.cli.table import COMMANDS, GROUPS

_COMMON: Mapping[str, str] = {"--store": "file", "--keys": "folder", "--tenant": "any"}
"""Options of every command that take a value."""
_FLAGS = ("--json", "--help")
_FILES = {"FILE", "CONTRACT"}
_KEY_FILES = {"--sign-with", "--with-keys"}
_FOLDERS = {"DIR", "FOLDER"}


def script(typed: Typed) -> int:
    """Print the script."""
    shell: str = typed.given.shell
    text = {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]()
    typed.screen.show({"shell": shell, "script": text}, text.rstrip("\n"))
    return 0


def _kind(argument: Argument) -> str:
    """Say what stands for an argument: `file`, `folder`, `any`, or the words that may."""
    choices: tuple[str, ...] = argument.options.get("choices", ())
    stands = argument.options.get("metavar")
    if choices:
        return " ".join(choices)
    if stands in _FILES or argument.names[0] in _KEY_FILES:
        return "file"
    return "folder" if stands in _FOLDERS else "any"


def _takes_value(argument: Argument) -> bool:
    return argument.options.get("action") != "store_true"


def _options(command: Command) -> list[Argument]:
    return [each for each in command.takes if each.names[0].startswith("-")]


def _words(command: Command) -> list[Argument]:
    return [each for each in command.takes if not each.names[0].startswith("-")]


def _first_words() -> list[str]:
    return list(dict.fromkeys(command.name.partition(" ")[0] for command in COMMANDS))


def _inner(group: str) -> list[Command]:
    return [command for command in COMMANDS if command.name.startswith(f"{group} ")]


_BASH = """\
# Completes `interlock` in bash. In ~/.bashrc: source <(interlock completion bash)
_interlock_reply() {
    local IFS=$'\\n'
    case $1 in
        file) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$2")) ;;
        folder) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$2")) ;;
        any) COMPREPLY=() ;;
        *) IFS=$' \\n'; COMPREPLY=($(compgen -W "$1" -- "$2")) ;;
    esac
}

_interlock() {
    local cur=${COMP_WORDS[COMP_CWORD]} command= value= word count=0 i
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $value && $word == "=" ]]; then continue; fi
        if [[ $value ]]; then value=; continue; fi
        case "$command:$word" in
            @VALUED@) value=$word ;;
            *:-*) ;;
            *)
                case "${command:+$command }$word" in
                    @COMMANDS@) command="${command:+$command }$word" ;;
                    *) count=$((count + 1)) ;;
                esac ;;
        esac
    done
    [[ $value && $cur == "=" ]] && cur=
    if [[ $value ]]; then
        case "$command:$value" in
@VALUES@
            *) _interlock_reply any "$cur" ;;
        esac
    elif [[ $cur == -* ]]; then
        case $command in
@OPTIONS@
            *) _interlock_reply "@COMMON@" "$cur" ;;
        esac
    else
        case "$command:$count" in
@ARGUMENTS@
            *) _interlock_reply any "$cur" ;;
        esac
    fi
}

complete -F _interlock interlock
"""

_ZSH = """\
#compdef interlock
# Completes `interlock` in zsh. In ~/.zshrc, behind compinit: source <(interlock completion zsh)
autoload -U +X bashcompinit && bashcompinit
"""


def _zsh() -> str:
    # zsh reads scripts of bash; what differs is that every word is one word, with its `=`.
    return _ZSH + _bash().partition("\n")[2]


def _bash() -> str:
    common = " ".join((*_COMMON, *_FLAGS))
    filled = {
        "VALUED": "|".join(dict.fromkeys(_valued())),
        "COMMANDS": "|".join(f'"{name}"' for name in dict.fromkeys((*GROUPS, *(each.name for each in COMMANDS)))),
        "VALUES": _cases(_values()),
        "OPTIONS": _cases(_options_of(common)),
        "COMMON": common,
        "ARGUMENTS": _cases(_arguments()),
    }
    text = _BASH
    for name, said in filled.items():
        text = text.replace(f"@{name}@", said)
    return text


def _cases(lines: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f'            {pattern}) _interlock_reply "{kind}" "$cur" ;;' for pattern, kind in lines)


def _valued() -> Iterator[str]:
    """List what takes a value, as `COMMAND:OPTION`."""
    yield from (f"*:{name}" for name in _COMMON)
    for command in COMMANDS:
        yield from (
            f'"{command.name}:{name}"' for each in _options(command) if _takes_value(each) for name in each.names
        )


def _values() -> Iterator[tuple[str, str]]:
    yield from ((f"*:{name}", kind) for name, kind in _COMMON.items() if kind != "any")
    for command in COMMANDS:
        for each in _options(command):
            if _takes_value(each) and _kind(each) != "any":
                yield f'"{command.name}:{each.names[0]}"', _kind(each)


def _options_of(common: str) -> Iterator[tuple[str, str]]:
    for command in COMMANDS:
        own = " ".join(name for each in _options(command) for name in each.names)
        yield f'"{command.name}"', f"{own} {common}".strip()


def _arguments() -> Iterator[tuple[str, str]]:
    """List what may stand at each place: commands, their second words, arguments."""
    yield '":0"', " ".join(_first_words())
    for group in GROUPS:
        yield f'"{group}:0"', " ".join(each.name.partition(" ")[2] for each in _inner(group))
    for command in COMMANDS:
        for place, each in enumerate(_words(command)):
            many = each.options.get("nargs") in ("*", "+")
            pattern = f'"{command.name}:"*' if many else f'"{command.name}:{place}"'
            if _kind(each) != "any":
                yield pattern, _kind(each)


def _fish() -> str:
    lines = [
        "# Completes `interlock` in fish. In config.fish: interlock completion fish | source",
        "complete -c interlock -f",
    ]
    lines += [_line("", f"-l {name[2:]} {_HOW[kind]}") for name, kind in _COMMON.items()]
    lines.append(_line("", "-l json", "print data, and errors, as JSON"))
    seen = "__fish_seen_subcommand_from"
    at_first = f"not {seen} {' '.join(_first_words())}"
    for word in _first_words():
        says = GROUPS.get(word) or next(each.says for each in COMMANDS if each.name == word)
        lines.append(_line(at_first, f"-a {word}", says))
    for group in GROUPS:
        inner = " ".join(each.name.partition(" ")[2] for each in _inner(group))
        for each in _inner(group):
            lines.append(
                _line(f"{seen} {group}; and not {seen} {inner}", f"-a {each.name.partition(' ')[2]}", each.says)
            )
    for command in COMMANDS:
        group, _, name = command.name.rpartition(" ")
        where = f"{seen} {group}; and {seen} {name}" if group else f"{seen} {name}; and not {seen} {' '.join(GROUPS)}"
        lines += [
            _line(where, _of_fish(each), each.options.get("help", "")) for each in command.takes if _of_fish(each)
        ]
    return "\n".join(lines) + "\n"


_HOW: Mapping[str, str] = {"file": "-r -F", "folder": "-x -a '(__fish_complete_directories)'", "any": "-x"}


def _of_fish(argument: Argument) -> str:
    kind, name = _kind(argument), argument.names[0]
    if not name.startswith("-"):
        return {"file": "-F", "folder": "-a '(__fish_complete_directories)'", "any": ""}.get(kind, f"-a '{kind}'")
    return f"-l {name[2:]} {_HOW.get(kind, f'-x -a {shlex.quote(kind)}') if _takes_value(argument) else ''}".rstrip()


def _line(where: str, what: str, says: str = "") -> str:
    condition = f" -n {shlex.quote(where)}" if where else ""
    told = f" -d {shlex.quote(says)}" if says else ""
    return f"complete -c interlock{condition} {what}{told}"
