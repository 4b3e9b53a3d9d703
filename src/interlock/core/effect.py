"""What carrying an action out means: how repetition behaves, how much is at stake, how far a workflow may go."""

from enum import Enum


class EffectClass(Enum):
    """What doing it a second time would do. What nobody declared is `OPAQUE`."""

    READ = "read"  # nothing
    IDEMPOTENT = "idempotent"  # the same state once more (an absolute set, a delete)
    IDEMPOTENT_KEY = "idempotent_key"  # nothing, because the other side knows our key
    QUERYABLE = "queryable"  # a second effect, but the other side can say whether there was a first
    OPAQUE = "opaque"  # a second effect, and nobody can say


RESENDABLE = frozenset({EffectClass.READ, EffectClass.IDEMPOTENT, EffectClass.IDEMPOTENT_KEY})
"""The classes for which the same request once more is harmless."""


class Tier(Enum):
    """What is at stake. What nobody declared is `RED`."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


class Mode(Enum):
    """How far a workflow may go today, from least to most."""

    READ_ONLY = "read_only"
    SUGGEST = "suggest"
    ASK = "ask"
    ACT = "act"
