"""Why something was refused, halted or handed off: the one closed list, counted by evals and metrics alike."""

from enum import Enum


class Reason(Enum):
    """The part of a refusal that an agent sees."""

    TOOL_NOT_ALLOWED = "tool_not_allowed"
    INVALID_ARGUMENTS = "invalid_arguments"
    POLICY = "policy"
    APPROVAL_DENIED = "approval_denied"
    APPROVAL_EXPIRED = "approval_expired"
    BUDGET_EXCEEDED = "budget_exceeded"
    TOO_MANY_TOOL_CALLS = "too_many_tool_calls"
    TOO_MANY_TOKENS = "too_many_tokens"
    TIMEOUT = "timeout"
    LOOP = "loop"
    DUPLICATE = "duplicate"
    TOOL_ERROR = "tool_error"
    UNCERTAIN = "uncertain"
    LOW_CONFIDENCE = "low_confidence"
    MISSING_CONTEXT = "missing_context"
    AMBIGUOUS = "ambiguous"
    STOPPED = "stopped"
    OVERLOADED = "overloaded"
    INTERNAL = "internal"
