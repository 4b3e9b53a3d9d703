"""A contract as bytes under the name of their hash: what a store keeps and every call runs under."""

from hashlib import sha256

import msgspec

from interlock.contract.ir import Contract, Tool
from interlock.core.errors import ContractInvalid
from interlock.core.ids import ContractHash
from interlock.core.value import replace
from interlock.policy.rule import Place


def encode(contract: Contract) -> tuple[ContractHash, bytes]:
    """Write a contract: the same bytes for the same contract, whatever the order of its names."""
    written = _ENCODER.encode(contract)
    return ContractHash(sha256(written).hexdigest()), written


def decode(written: bytes) -> Contract:
    """Read a contract back.

    Raises:
        ContractInvalid: these are not the bytes of a contract that this version can read.
    """
    try:
        return _DECODER.decode(written)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ContractInvalid("the bytes are no contract", fix="publish the contract again from its file") from error


class Days(msgspec.Struct, frozen=True, kw_only=True):
    """For how many days a contract lets things be kept; 0 where it names none."""

    payloads: int
    ledger: int


def days_of(written: bytes) -> Days:
    """Read how long a contract lets things be kept, even if the rest of it is of another version.

    Raises:
        ContractInvalid: these are not the bytes of a contract.
    """
    try:
        found = _DAYS.decode(written)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ContractInvalid("the bytes are no contract", fix="publish the contract again from its file") from error
    return Days(payloads=found.payload_days or 0, ledger=found.ledger_days or 0)


def tool_hash(tool: Tool) -> str:
    """Hash all that a contract says of a tool, but not where in the file it says it."""
    return sha256(_ENCODER.encode(replace(tool, place=Place(file="")))).hexdigest()


_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER = msgspec.json.Decoder(Contract)


class _Days(msgspec.Struct, frozen=True):
    payload_days: int | None = None
    ledger_days: int | None = None


_DAYS = msgspec.json.Decoder(_Days)
