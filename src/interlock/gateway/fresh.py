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


def right_id() -> str:
    """Draw the id of a role that somebody holds for a while."""
    return "h" + token_hex(4)


def payload_ids(now: Instant, count: int) -> tuple[PayloadId, ...]:
    """Draw the ids of payloads, which say nothing of what is in them.

    They sort by the time they were drawn, so that what is written together lies together in the index.
    """
    name = _name(now)
    return tuple([PayloadId(f"p{name}{n}") for n in range(count)])


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
