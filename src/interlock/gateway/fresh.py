"""Names and salts that nobody can guess, drawn before a write so that the write can be run again."""

from secrets import randbits, token_hex

from interlock.core.ids import ActionId, GrantId, Instant, PayloadId, ProcessId, RunId

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, read aloud without mistakes
_TIME_CHARS = 9
_CHANCE_CHARS = 10


def action_id(now: Instant) -> ActionId:
    """Draw the id of an action. Ids sort by the time they were drawn."""
    return ActionId("a" + _name(now))


def run_id(now: Instant) -> RunId:
    """Draw the id of a run that nobody named."""
    return RunId("r" + _name(now))


def grant_id() -> GrantId:
    """Draw the id of a grant."""
    return GrantId("g" + token_hex(8))


def payload_id() -> PayloadId:
    """Draw the id of a payload. It says nothing of what is in it."""
    return PayloadId(token_hex(16))


def process_id() -> ProcessId:
    """Draw the name of this process."""
    return ProcessId("p" + token_hex(8))


def salt() -> str:
    """Draw what keeps a commitment from being guessed back (128 bits)."""
    return token_hex(16)


def _name(now: Instant) -> str:
    return _base32(now // 1000, _TIME_CHARS) + _base32(randbits(5 * _CHANCE_CHARS), _CHANCE_CHARS)


def _base32(number: int, chars: int) -> str:
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(chars)))
