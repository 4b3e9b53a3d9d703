"""What a type of content says (RFC 9110, 8.3): its kind, and the charset of a text."""

import re


def kind_of(content_type: str) -> str:
    """Return the kind without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def charset_of(content_type: str) -> str:
    """Return the charset in lower case; nothing where none is named."""
    parameters = content_type.partition(";")[2].lower().replace(" ", "").replace('"', "")
    return parameters.partition("charset=")[2].partition(";")[0]


def is_json(content_type: str) -> bool:
    """Whether it is JSON, or written in it."""
    kind = kind_of(content_type)
    return kind == "application/json" or bool(re.fullmatch(r"application/[a-z0-9.!#$&^_-]+\+json", kind))
