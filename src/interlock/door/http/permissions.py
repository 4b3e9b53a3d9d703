"""Who may take which routes. Each line of the table names one of these."""

from interlock.core.credential import AccessRole
from interlock.door.http.route import Permission

_ALL = frozenset(AccessRole)
_OPERATE = frozenset({AccessRole.OPERATOR, AccessRole.ADMIN})
_STORY = frozenset({AccessRole.OPERATOR, AccessRole.AUDITOR, AccessRole.ADMIN})
_CONSENT = frozenset({AccessRole.APPROVER, AccessRole.ADMIN})

ANYBODY = Permission(says="anybody", anybody=True)
AGENTS = Permission(says="agents", agents=True)
AGENTS_OR_READERS = Permission(says="agents, about what is their own, and every role", agents=True, roles=_ALL)
READERS = Permission(says="every role", roles=_ALL)
QUESTIONS = Permission(says="the roles approver, operator, auditor and admin", roles=_ALL - {AccessRole.VIEWER})
STORIES = Permission(says="the roles operator, auditor and admin", roles=_STORY)
OPERATORS = Permission(says="the roles operator and admin", roles=_OPERATE)
PERSON_OPERATES = Permission(says="people with the role operator or admin", roles=_OPERATE, person=True)
PERSON_CONSENTS = Permission(says="people with the role approver or admin", roles=_CONSENT, person=True)
AUDITORS = Permission(says="the roles auditor, operator and admin of the whole tenant", roles=_STORY, tenant=True)
