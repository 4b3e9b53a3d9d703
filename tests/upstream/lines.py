"""Whoever makes a call, for tests: what they can be asked, what they answer, and what came to them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from interlock.core.canonical import Json, JsonObject
from interlock.core.errand import Question
from interlock.core.errors import UpstreamFailed


@dataclass
class ALine:
    """The way back to somebody."""

    able: frozenset[str] = frozenset()
    answers: dict[str, Any] = field(default_factory=dict[str, Any])
    """By the name of the question, else by its method."""
    refuses: bool = False
    level: str | None = None
    asked: list[Question] = field(default_factory=list[Question])
    told: list[tuple[str, JsonObject]] = field(default_factory=list[tuple[str, JsonObject]])
    missing: list[str] = field(default_factory=list[str])

    def can(self, server: str) -> frozenset[str]:
        return self.able

    def hears(self) -> tuple[bool, str | None]:
        return True, self.level

    def lacks(self, capability: str) -> None:
        self.missing.append(capability)

    async def ask(self, questions: Mapping[str, Question]) -> Mapping[str, Json]:
        self.asked += questions.values()
        if self.refuses:
            raise UpstreamFailed("the client was not asked: tool_not_allowed", fix="name it in the contract")
        return {name: self._answer(name, question) for name, question in questions.items()}

    def _answer(self, name: str, question: Question) -> Json:
        return self.answers[name] if name in self.answers else self.answers[question.method]

    async def relay(self, question: Question) -> Json:
        self.asked.append(question)
        return self._answer("", question)

    def tell(self, method: str, params: JsonObject) -> None:
        self.told.append((method, params))
