"""The cast of the demo: people and what they bought, drawn one after the other from one source of chance."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from interlock_demo.records import Chargeback, Customer, Fault, Invoice

TODAY = date(2026, 6, 15)
"""The company's day. It never changes, so that a seed means the same company next year."""

_FIRST = (
    "Ada Amir Anna Ben Bruno Carla Chen Clara Daniel Deniz Elena Emil Fatima Felix Grace Hana Hugo Ines Ivan Jana"
    " Jonas Julia Kai Karim Lea Leon Lina Luca Malik Maria Mina Nadia Noah Nora Olga Omar Paula Priya Rosa Ruben"
    " Sara Sofia Tariq Tessa Theo Tom Vera Victor Wanda Yusuf"
).split()
_LAST = (
    "Adler Almeida Bauer Becker Bianchi Brandt Castro Conti Dupont Eriksen Fischer Fontaine Garcia Haddad Hansen"
    " Hoffmann Ivanova Jensen Kaya Keller Kovacs Laurent Lindgren Lopez Marino Meyer Moreau Nakamura Novak Okafor"
    " Olsen Park Petrov Quinn Rossi Sato Schmidt Silva Singh Sorensen Tanaka Torres Vogel Wagner Weber Yilmaz"
).split()
_HOSTS = ("mail.example.com", "post.example.org", "inbox.example.net", "home.example.com")
_TIERS = ("basic", "basic", "basic", "plus", "plus", "business")
_NOTES = ("", "", "", "prefers mail over phone", "moved house last year", "pays by bank transfer", "long-time customer")
ITEMS = (
    "desk lamp",
    "standing desk",
    "office chair",
    "noise-cancelling headset",
    "label printer",
    "monitor arm",
    "mechanical keyboard",
    "web camera",
    "whiteboard set",
    "coffee grinder",
    "air purifier",
    "document scanner",
    "travel adapter set",
    "docking station",
    "paper shredder",
    "drawing tablet",
)
"""What the company sells. No name is part of another, so that a text names one item or none."""


@dataclass(slots=True)
class Cast:
    """Everybody and everything drawn so far. What is drawn next depends on the seed and on what came before."""

    chance: Random
    customers: list[Customer] = field(default_factory=list[Customer])
    invoices: list[Invoice] = field(default_factory=list[Invoice])
    chargebacks: list[Chargeback] = field(default_factory=list[Chargeback])
    faults: list[Fault] = field(default_factory=list[Fault])
    _unused: dict[tuple[str, ...], list[str]] = field(default_factory=dict[tuple[str, ...], list[str]])
    _first_customer: int = 0
    _first_invoice: int = 0

    def __post_init__(self) -> None:
        self._first_customer = self.chance.randrange(100_000, 800_000)
        self._first_invoice = self.chance.randrange(1_000, 5_000)

    def customer(self, *, note: str | None = None) -> Customer:
        """Bring in somebody who bought one to three things."""
        number = len(self.customers)
        first, last = self.chance.choice(_FIRST), self.chance.choice(_LAST)
        # The number keeps addresses apart when two people have one name.
        email = f"{first}.{last}{number}@{self.chance.choice(_HOSTS)}".lower()
        drawn = self.chance.choice(_NOTES)
        customer = Customer(
            id=f"C{self._first_customer + number}",
            name=f"{first} {last}",
            email=email,
            tier=self.chance.choice(_TIERS),
            note=drawn if note is None else note,
        )
        self.customers.append(customer)
        for _ in range(self.chance.randint(1, 3)):
            self.invoice(customer)
        return customer

    def invoice(self, customer: Customer, *, cents: int | None = None, item: str = "") -> Invoice:
        """Let a customer have bought one more thing in the last ten months."""
        had = {invoice.item for invoice in self.invoices if invoice.customer_id == customer.id}
        invoice = Invoice(
            id=f"INV-{self._first_invoice + len(self.invoices)}",
            customer_id=customer.id,
            cents=cents if cents is not None else self.cents(60_00, 400_00),
            day=TODAY - timedelta(days=self.chance.randint(2, 300)),
            item=item or self.chance.choice([item for item in ITEMS if item not in had]),
        )
        self.invoices.append(invoice)
        return invoice

    def pick(self, bodies: tuple[str, ...]) -> str:
        """Draw one of several texts. None comes again before all have come."""
        left = self._unused.setdefault(bodies, [])
        if not left:
            left += self.chance.sample(bodies, len(bodies))
        return left.pop()

    def cents(self, low: int, high: int) -> int:
        """Draw a price, mostly a round one."""
        cents = self.chance.randint(low, high)
        if self.chance.random() < 0.6:
            cents = max(low, cents // 50 * 50)
        return cents
