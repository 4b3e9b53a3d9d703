"""What a budget counts."""

from enum import Enum

from interlock.core.wording import dollars


class Unit(Enum):
    """What a budget counts. Money and seconds are in millionths."""

    USD = "usd"
    USD_OF_ARGS = "usd_of_args"  # the money that the agent moves, not what it costs
    TOKENS = "tokens"
    TOOL_CALLS = "tool_calls"
    MODEL_CALLS = "model_calls"
    CALLS = "calls"  # of one tool
    RETRIES = "retries"
    SECONDS = "seconds"

    def show(self, amount: int) -> str:
        """Write an amount with its unit, of one in the singular."""
        match self:
            case Unit.USD | Unit.USD_OF_ARGS:
                return dollars(amount)
            case Unit.SECONDS:
                return f"{amount / 1_000_000:g} s"
            case _:
                many = self.value.replace("_", " ")
                return f"{amount:,} {_ONE.get(self, many.removesuffix('s')) if amount == 1 else many}"


_ONE = {Unit.RETRIES: "retry"}
"""What is more in the plural than an `s`."""
