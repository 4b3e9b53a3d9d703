"""A shop that pays its customers back."""

from interlock.core.errors import UpstreamFailed


def send(token: str, invoice: str) -> int:
    """Stand for a bank that wants to be paid with a token of its own."""
    if token != "bank-token-4711":  # noqa: S105  of a bank that is none
        raise UpstreamFailed(f"401: `{token}` is not known here", fix="ask the bank")
    return len(invoice)


def refund(invoice: str, secret: str) -> dict[str, str]:
    """Pay an invoice back."""
    number = send(secret, invoice)
    return {"invoice": invoice, "said": f"refund {number} was paid with {secret}"}
