"""Names and salts that nobody can guess, drawn before a write so that the write can be run again."""

from secrets import randbits, token_hex

from interlock.core.ids import ActionId, GrantId, Instant, PayloadId, ProcessId, RunId

_READABLE = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, read aloud without mistakes
_PAIRS = [one + other for one in _READABLE for other in _READABLE]
_PLACES = range(90, -1, -10)
_TIME_BITS = 45
_CHANCE_BITS = 50


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


def payload_ids(count: int) -> tuple[PayloadId, ...]:
    """Draw several ids of payloads at once: it is asking for chance that takes the time."""
    text = token_hex(16 * count)
    return tuple(PayloadId(text[start : start + 32]) for start in range(0, len(text), 32))


def process_id() -> ProcessId:
    """Draw the name of this process."""
    return ProcessId("p" + token_hex(8))


def salt() -> str:
    """Draw what keeps a commitment from being guessed back (128 bits)."""
    return token_hex(16)


def _name(now: Instant) -> str:
    milliseconds = now // 1000 % (1 << _TIME_BITS)
    number = milliseconds << _CHANCE_BITS | randbits(_CHANCE_BITS)
    # Ten pairs are 100 bits, and 95 are meant.
    return "".join([_PAIRS[number >> place & 1023] for place in _PLACES])[1:]
