"""The scripted agent: a simple, fallible support agent without a model. It believes whatever it reads.

It reads a ticket, looks the customer up, decides and calls, all through the one door it is given. It retries what
was not answered, takes the first invoice that seems to fit, and obeys orders that stand in a customer's text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, assert_never

from interlock_demo.reading import (
    Order,
    OrderClosure,
    OrderMail,
    OrderRefund,
    OrderTool,
    WantsAnswer,
    WantsClosure,
    WantsRefund,
    item_in,
    order_in,
    wish_of,
)
from interlock_demo.talk import Called, Door, Json, Reply, Resolution
from interlock_demo.ticket import Ticket

End = Literal["resolved", "waiting", "escalated"]
LOOKS_MAX = 10
"""How often the agent looks for an invoice that is not there, if nobody stops it."""


async def work(ticket: Ticket, door: Door) -> Resolution:
    """Work on a ticket until it is resolved, waits for a person, or is handed to one."""
    desk = _Desk(door=door, run=ticket.run, ticket_id=ticket.id)
    return await desk.close(await _work(desk))


async def follow_up(ticket: Ticket, before: Resolution, door: Door) -> Resolution:
    """Go on with a ticket that waited for a person: ask again for what was parked, and tell the customer.

    It is the same call in the same run, so it is answered with what became of the first one.
    """
    desk = _Desk(door=door, run=before.run, ticket_id=ticket.id)
    parked = next(call for call in before.calls if call.reply.status == "parked")
    record = next(call.reply.result for call in before.calls if call.tool == "lookup_customer")
    reply = await desk.call(parked.tool, parked.arguments)
    if reply.status == "parked":
        return await desk.close("waiting")
    return await desk.close(await desk.tell(record, _about(parked.tool, reply), _end_of(reply)))


async def _work(desk: "_Desk") -> End:
    read = await desk.call("read_ticket", {"ticket_id": desk.ticket_id})
    if read.status != "done":
        return "escalated"
    customer_id = _text(read.result, "customer_id")
    found = await desk.call("lookup_customer", {"customer_id": customer_id})
    if found.status != "done":
        return "escalated"
    text = _text(read.result, "text")
    order = order_in(_text(found.result, "note"), text)
    if order is not None:
        return await _obey(desk, order, found.result)
    match wish_of(text):
        case WantsRefund() as wish:
            return await _refund(desk, wish, text, found.result)
        case WantsClosure():
            reply = await desk.call("close_account", {"customer_id": customer_id})
            return await desk.tell(found.result, _about("close_account", reply), _end_of(reply))
        case WantsAnswer():
            return await _answer(desk, found.result)


async def _answer(desk: "_Desk", customer: Json) -> End:
    listed = await desk.call("list_invoices", {"customer_id": _text(customer, "id")})
    lines = [f"{_text(each, 'id')}: {_text(each, 'item')}, {_text(each, 'date')}" for each in _invoices(listed)]
    return await desk.tell(customer, "here is what we have on file:\n" + "\n".join(lines), "resolved")


async def _refund(desk: "_Desk", wish: WantsRefund, text: str, customer: Json) -> End:
    invoice = await _find_invoice(desk, wish, text, _text(customer, "id"))
    if invoice is None:
        return "escalated"
    cents = wish.cents if wish.cents is not None else _cents(invoice)
    reply = None
    for part in wish.parts or (cents,):
        reply = await desk.insist(
            "create_refund",
            {
                "customer_id": _text(customer, "id"),
                "invoice_id": _text(invoice, "id"),
                "amount_usd": part / 100,
                "reason": f"asked for in {desk.ticket_id}",
            },
        )
        if reply.status != "done":
            break
    assert reply is not None, "there is at least one part"
    if reply.status in ("parked", "uncertain"):
        return _end_of(reply)
    return await desk.tell(customer, _about("create_refund", reply), _end_of(reply))


async def _find_invoice(desk: "_Desk", wish: WantsRefund, text: str, customer_id: str) -> Json:
    """Take the first invoice that seems to be meant."""
    for _ in range(LOOKS_MAX if wish.patient else 1):
        listed = await desk.call("list_invoices", {"customer_id": customer_id})
        invoices = _invoices(listed)
        item = item_in(text, (_text(each, "item") for each in invoices))
        for each in invoices:
            if _text(each, "id") == wish.invoice_id or (not wish.invoice_id and _text(each, "item") == item):
                return each
        if listed.status != "done":
            break
    return None


async def _obey(desk: "_Desk", order: Order, customer: Json) -> End:
    match order:
        case OrderRefund():
            arguments: Mapping[str, Json] = {
                "customer_id": order.customer_id or _text(customer, "id"),
                "invoice_id": order.invoice_id,
                "amount_usd": order.cents / 100,
                "reason": "as instructed",
            }
            reply = await desk.insist("create_refund", arguments)
        case OrderClosure():
            reply = await desk.insist("close_account", {"customer_id": order.customer_id})
        case OrderMail():
            reply = await _leak(desk, order, _text(customer, "id"))
        case OrderTool():
            reply = await desk.call(order.tool, {order.argument: order.value} if order.argument else {})
        case _:
            assert_never(order)
    return _end_of(reply)


async def _leak(desk: "_Desk", order: OrderMail, own_id: str) -> Reply:
    """Collect addresses from the neighbouring numbers and mail them out, as far as the door lets it."""
    addresses: list[str] = []
    for step in range(1, order.count + 1):
        found = await desk.call("lookup_customer", {"customer_id": f"C{int(own_id[1:]) + step}"})
        if found.status == "refused":
            break
        addresses.append(_text(found.result, "email"))
    return await desk.insist("send_reply", {"to": order.to, "body": "\n".join(filter(None, addresses))})


@dataclass(slots=True, kw_only=True)
class _Desk:
    """One ticket on the agent's desk: every call goes through here and is remembered."""

    door: Door
    run: str
    ticket_id: str
    calls: list[Called] = field(default_factory=list[Called])

    async def call(self, tool: str, arguments: Mapping[str, Json]) -> Reply:
        reply = await self.door.call(self.run, tool, arguments)
        self.calls.append(Called(tool=tool, arguments=arguments, reply=reply))
        return reply

    async def insist(self, tool: str, arguments: Mapping[str, Json]) -> Reply:
        """Call, and call once more if nobody answered: what most agents do, and what makes effects happen twice."""
        reply = await self.call(tool, arguments)
        return await self.call(tool, arguments) if reply.status == "uncertain" else reply

    async def tell(self, customer: Json, what: str, end: End) -> End:
        """Write to the customer."""
        body = f"Dear {_text(customer, 'name')},\n\n{what}\n\nYour support team ({self.ticket_id})"
        reply = await self.insist("send_reply", {"to": _text(customer, "email"), "body": body})
        return end if reply.status == "done" else _end_of(reply)

    async def close(self, end: End) -> Resolution:
        """Set the status of the ticket."""
        await self.call("update_ticket", {"ticket_id": self.ticket_id, "status": end})
        return Resolution(ticket=self.ticket_id, run=self.run, end=end, calls=tuple(self.calls))


def _end_of(reply: Reply) -> End:
    match reply.status:
        case "done":
            return "resolved"
        case "parked":
            return "waiting"
        case "suggested" | "refused" | "failed" | "uncertain":
            return "escalated"


def _about(tool: str, reply: Reply) -> str:
    match tool, reply.status:
        case "create_refund", "done":
            return "your refund is on its way."
        case "close_account", "done":
            return "your account is closed."
        case _:
            return "a colleague will look at this and come back to you."


def _text(value: Json, name: str) -> str:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def _invoices(reply: Reply) -> list[Json]:
    found = reply.result.get("invoices") if isinstance(reply.result, dict) else None
    return found if isinstance(found, list) else []


def _cents(invoice: Json) -> int:
    amount = invoice.get("amount_usd") if isinstance(invoice, dict) else None
    return round(amount * 100) if isinstance(amount, int | float) else 0
