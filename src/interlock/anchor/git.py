"""A git repository as a place for heads: each anchor is a commit. Nothing that its configuration names is run.

The commit is made from objects: no hook, no filter, no editor and no signing program has a part in it.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from interlock.anchor.file import AnchorFile
from interlock.core.errors import InterlockError, LedgerBroken, StoreBusy, UpstreamFailed
from interlock.core.ids import Instant
from interlock.core.limits import GIT_SECONDS_MAX
from interlock.ledger.anchor import Anchor, Since

FILE = "interlock-anchors.jsonl"
"""What the file of anchors is called in a repository."""

_ALWAYS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.fsync=all",
    "credential.helper=",
    "protocol.ext.allow=never",
)
_SAID_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class GitRepository:
    """A folder in the working tree of a repository of the user's own."""

    path: Path
    push: bool = False

    @property
    def name(self) -> str:
        """How the place is called in the book of anchors."""
        return f"git:{self.path.resolve()}"

    async def keep(self, new: Anchor, old: int, since: Since) -> Anchor:
        """Append an anchor to the file, and commit it. Somebody else's changes are not committed with it.

        Raises:
            InterlockError: this is no working tree, or there is no git.
            LedgerBroken: the file holds something else, or has lost what was committed.
            StoreBusy: it cannot be written, or somebody else has committed meanwhile.
            UpstreamFailed: it is committed here and could not be pushed.
        """
        name = self._prefix() + FILE
        file = AnchorFile(self.path / FILE)
        if file.path.is_symlink():
            raise LedgerBroken(
                f"`{file.path}` is a link", fix="take it away; the file of anchors lies in the repository"
            )
        head = self._git("rev-parse", "--verify", "--quiet", "HEAD^{commit}", may_fail=True).strip()
        before = file.path.read_bytes() if file.path.exists() else b""
        if head and not before.startswith(self._committed(head, name)):
            fix = f"look at what happened: `git -C {self.path} log -p {FILE}`"
            raise LedgerBroken(f"`{file.path}` has lost anchors that were committed", fix=fix)
        await file.keep(new, old, since)
        blob = self._git("hash-object", "-w", "--stdin", given=file.path.read_bytes()).strip()
        self._commit(head, name, blob, new)
        # So that the owner does not find the file as changed. The commit stands without it.
        self._git("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}", may_fail=True)
        if self.push:
            self._push()
        return new

    def _prefix(self) -> str:
        if not self.path.is_dir():
            raise InterlockError(f"there is no folder `{self.path}`", fix="name the working tree of a repository")
        inside, *prefix = self._git("rev-parse", "--is-inside-work-tree", "--show-prefix").split("\n")
        if inside != "true":
            raise InterlockError(f"`{self.path}` has no working tree", fix="name a clone of it")
        return prefix[0]

    def _committed(self, head: str, name: str) -> bytes:
        found = self._git("ls-tree", "--full-tree", head, "--", name).split()
        return self._run("cat-file", "blob", found[2]).stdout if found else b""

    def _commit(self, head: str, name: str, blob: str, new: Anchor) -> None:
        with tempfile.TemporaryDirectory(prefix="interlock-git-") as folder:
            # An index of our own: what somebody has staged stays theirs.
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            if head:
                self._git("read-tree", head, more=index)
            self._git("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}", more=index)
            tree = self._git("write-tree", more=index).strip()
        words = ["commit-tree", tree, *(["-p", head] if head else [])]
        said = f"Anchor {new.origin} at {new.size} entries\n".encode()
        commit = self._git(*words, given=said, more=_by(new.at)).strip()
        moved = self._run("update-ref", "-m", "interlock ledger anchor", "HEAD", commit, head, more=_by(new.at))
        if moved.returncode:
            raise StoreBusy(f"somebody else has committed in `{self.path}` meanwhile", fix="run it again")

    def _push(self) -> None:
        to = self._git("remote", "get-url", "--push", "origin", may_fail=True).strip()
        # For a path git starts the other side on this machine, and hands it none of our settings.
        here = to.startswith("file:") or ":" not in to
        pack = "git -c core.hooksPath=/dev/null receive-pack" if here else "git-receive-pack"
        words = ("--quiet", "--no-verify", "--no-signed", "--recurse-submodules=no", f"--receive-pack={pack}")
        known = {each: os.environ[each] for each in ("HOME", "XDG_CONFIG_HOME", "SSH_AUTH_SOCK") if each in os.environ}
        more = {
            **known,
            "GIT_ALLOW_PROTOCOL": "file:https:ssh",
            "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
            "GIT_CONFIG_GLOBAL": str(Path(known.get("HOME", "/dev/null")) / ".gitconfig"),
        }
        # What git says of it may hold the address with its password, and is not shown.
        if self._run("push", *words, "origin", "HEAD", more=more).returncode:
            what = f"the anchor is committed in `{self.path}` and could not be pushed to `origin`"
            raise UpstreamFailed(what, fix=f"try it by hand: `git -C {self.path} push origin HEAD`")

    def _git(
        self, *words: str, given: bytes = b"", more: Mapping[str, str] | None = None, may_fail: bool = False
    ) -> str:
        ended = self._run(*words, given=given, more=more)
        if ended.returncode and not may_fail:
            said = ended.stderr.decode(errors="replace").partition("\n")[0][:_SAID_MAX]
            raise InterlockError(f"git refuses in `{self.path}`: {said}", fix="name a repository that is yours")
        return ended.stdout.decode(errors="surrogateescape") if not ended.returncode else ""

    def _run(
        self, *words: str, given: bytes = b"", more: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        git = shutil.which("git")
        if git is None:
            raise InterlockError("there is no `git` on this machine", fix="install it, or name another place")
        settings = [word for each in _ALWAYS for word in ("-c", each)]
        try:
            return subprocess.run(  # noqa: S603  no shell; the words are ours, names of objects, and the user's own path
                [git, "--no-pager", *settings, "-C", str(self.path), *words],
                input=given,
                capture_output=True,
                check=False,
                timeout=GIT_SECONDS_MAX,
                env={**_ENVIRONMENT, "PATH": os.environ.get("PATH", os.defpath), **(more or {})},
            )
        except subprocess.TimeoutExpired as error:
            what = f"git takes longer than {GIT_SECONDS_MAX} s in `{self.path}`"
            raise UpstreamFailed(what, fix="look what keeps it, and run it again") from error


_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}
"""All that git is told. Nothing of the caller's environment leads it to another repository, program or file."""


def _by(at: Instant) -> dict[str, str]:
    who = {"NAME": "interlock", "EMAIL": "ledger@interlock.invalid", "DATE": f"@{at // 1_000_000} +0000"}
    return {f"GIT_{role}_{name}": value for role in ("AUTHOR", "COMMITTER") for name, value in who.items()}
