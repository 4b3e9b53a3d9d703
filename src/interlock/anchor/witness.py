"""A witness as a place for heads: it signs only what goes on from all that it has signed before."""

from dataclasses import dataclass

from interlock.core.errors import InterlockError, LedgerBroken, UpstreamFailed, UsageWrong
from interlock.core.value import replace
from interlock.ledger.anchor import Ahead, Anchor, Since
from interlock.ledger.cosign import Cosigner, number, parse, with_lines
from interlock.ledger.witness import PATH, SIZE_TYPE, Asked, write
from interlock.post import Address, Answer, post

_STOP = "stop writing, and find out which history is the real one: `interlock ledger verify --state`"


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessAt:
    """Where a witness listens, and the key that it is known by."""

    address: Address
    key: Cosigner

    @classmethod
    def parse(cls, text: str) -> "WitnessAt":
        """Read `URL#KEY`.

        Raises:
            UsageWrong: it is none.
        """
        url, found, key = text.partition("#")
        if not found:
            raise UsageWrong("the key of the witness is missing", fix="write `witness:URL#KEY`")
        address = Address.parse(url)
        try:
            return cls(address=address, key=Cosigner.parse(key))
        except LedgerBroken as broken:
            raise UsageWrong(str(broken), fix=broken.fix) from broken

    @property
    def name(self) -> str:
        """How the place is called in the book of anchors."""
        return f"witness:{self.address}#{self.key}"

    async def keep(self, new: Anchor, old: int, since: Since) -> Anchor | Ahead:
        """Have a head cosigned that goes on from what the witness has seen.

        Raises:
            LedgerBroken: it has seen another history of this ledger.
            UpstreamError: it did not answer, or not as it should.
        """
        path: tuple[bytes, ...] = ()
        if old:
            proof = await since(old)
            new, path = replace(new, head=proof.head), proof.path
        asked = Asked(old=old, path=path, note=new.head)
        answer = await post(self.address, write(asked), kind="text/plain; charset=utf-8", path=PATH)
        if answer.status == 200:
            return replace(new, head=self._cosigned(new.head, answer.body))
        if answer.status == 409:
            return self._ahead(answer, asked)
        raise self._declined(answer.status)

    def _cosigned(self, note: str, body: bytes) -> str:
        try:
            found = with_lines(note, body.decode())
            seen = self.key.seen_at(parse(found))
        except (UnicodeDecodeError, LedgerBroken) as error:
            raise UpstreamFailed(f"what the witness {self.key.name} answers is no cosignature", fix=_SAME) from error
        if seen is None:
            raise UpstreamFailed(f"the answer is not signed by the witness {self.key.name}", fix=_SAME)
        return found

    def _ahead(self, answer: Answer, asked: Asked) -> Ahead:
        try:
            seen = number(answer.body.decode().removesuffix("\n"))
        except ValueError as error:
            raise self._declined(409) from error
        if answer.kind.partition(";")[0].strip() != SIZE_TYPE:
            raise self._declined(409)
        if seen == asked.old:
            raise self._forked(seen)
        return Ahead(by=f"the witness {self.key.name}", size=seen)

    def _forked(self, size: int) -> LedgerBroken:
        what = f"the witness {self.key.name} has signed other entries of this ledger: it was forked, or written anew"
        return LedgerBroken(f"{what}; it has seen {size:,}", fix=_STOP)

    def _declined(self, status: int) -> InterlockError:
        name = self.key.name
        match status:
            case 404:
                what, fix = f"the witness {name} does not know this ledger", "start it with `--trust KEY`"
            case 403:
                what = f"the witness {name} trusts another key for this ledger, or a newer one has signed"
                fix = "start it with `--trust KEY` unless the store was set back (`interlock ledger verify`)"
            case 422:
                return LedgerBroken(
                    f"the witness {name} has signed other entries of this ledger: it was forked, or written anew",
                    fix=_STOP,
                )
            case _:
                what, fix = f"the witness {name} answers with {status}", "look at what it says where it runs"
        return UpstreamFailed(what, fix=f"{fix}; the key is that of `interlock ledger keys`" if "KEY" in fix else fix)


_SAME = "hold the key against what `interlock witness key show FILE` prints there"
