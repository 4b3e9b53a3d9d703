"""A contract as bytes, named by their hash: what is published, kept and read back."""

from hashlib import sha256

import msgspec

from interlock.contract.ir import Contract
from interlock.core.ids import ContractHash

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(Contract).decode


def encode(contract: Contract) -> tuple[ContractHash, bytes]:
    """Write a contract, and name it by what is written."""
    body = _encode(contract)
    return ContractHash(sha256(body).hexdigest()), body


def decode(body: bytes) -> Contract:
    """Read what `encode` wrote."""
    return _decode(body)
