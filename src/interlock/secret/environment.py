"""Secrets in the environment of the process: for containers whose platform puts them there."""

import re
from collections.abc import Mapping

from interlock.core.errors import UsageWrong
from interlock.secret.kept import SecretId, Value, oauth_of, text_of

PREFIX = "INTERLOCK_SECRET"


class FromEnvironment:
    """Finds a secret in the variable that has its whole name."""

    name = "the environment"

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def find(self, id: SecretId) -> Value:
        """Return what is kept now.

        Raises:
            SecretUnknown: there is no such variable.
            SecretUnreachable: it holds nothing that can be a secret.
        """
        variable = variable_of(id)
        text = self._variables.get(variable)
        if text is None:
            raise id.unknown(self.name, f"set the variable `{variable}` for whoever performs")
        return value_of(id, text, f"the variable `{variable}`")


def variable_of(id: SecretId) -> str:
    """Name the variable of a secret, such as `INTERLOCK_SECRET__ACME__SUPPORT__PROD__BILLING`.

    Raises:
        SecretUnknown: two secrets could have the same variable, so this one has none.
    """
    parts = (id.tenant, id.workflow, id.environment, id.name)
    for part in parts:
        if not re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", part):
            fix = f"`{part}` has no name as a variable: use small letters, digits and single `-`, or another source"
            raise id.unknown("the environment", fix)
    return "__".join((PREFIX, *(part.upper().replace("-", "_") for part in parts)))


def value_of(id: SecretId, text: str, where: str) -> Value:
    """Read a text that may be one of either kind: JSON with a `token_url` is what access tokens are fetched with.

    Raises:
        SecretUnreachable: it is none.
    """
    try:
        return oauth_of(text) if text.lstrip().startswith("{") and '"token_url"' in text else text_of(text)
    except UsageWrong as error:
        raise id.unreachable(f"cannot be used: {error}", f"correct {where}: {error.fix}") from None
