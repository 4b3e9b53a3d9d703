"""Names for things. A bare `str` never crosses a function boundary."""

from typing import NewType

ActionId = NewType("ActionId", str)
AgentId = NewType("AgentId", str)
Binding = NewType("Binding", str)
BudgetId = NewType("BudgetId", str)
ClaimId = NewType("ClaimId", str)
ContractHash = NewType("ContractHash", str)
CredentialId = NewType("CredentialId", str)
Digest = NewType("Digest", str)
Environment = NewType("Environment", str)
GrantId = NewType("GrantId", str)
Key = NewType("Key", str)
MemoId = NewType("MemoId", str)
PayloadId = NewType("PayloadId", str)
PersonId = NewType("PersonId", str)
PrincipalId = NewType("PrincipalId", str)
ProcessId = NewType("ProcessId", str)
Role = NewType("Role", str)
RuleId = NewType("RuleId", str)
RunId = NewType("RunId", str)
SliceHash = NewType("SliceHash", str)
SubjectId = NewType("SubjectId", str)
SubjectName = NewType("SubjectName", str)
TenantId = NewType("TenantId", str)
ToolName = NewType("ToolName", str)
WorkflowId = NewType("WorkflowId", str)

Instant = NewType("Instant", int)
"""Microseconds since 1970 in UTC, so that an entry holds integers only."""

Micros = NewType("Micros", int)
"""A span of time in microseconds."""
