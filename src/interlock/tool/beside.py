"""Files that a contract names: beside it, or in a folder below. What leads elsewhere is refused."""

from pathlib import Path

from interlock.core.errors import ContractInvalid


def text_beside(folder: Path, name: str, bytes_max: int) -> str:
    """Read a text file beside the contract.

    Raises:
        ContractInvalid: it is not there, it is elsewhere, it is larger than that, or it is not UTF-8 text.
    """
    try:
        return _read(folder, name, bytes_max).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ContractInvalid(f"{name}: it is not UTF-8 text", fix="save it as UTF-8") from error


def _read(folder: Path, name: str, bytes_max: int) -> bytes:
    file = folder / name
    try:
        if not file.resolve().is_relative_to(folder.resolve()):
            raise ContractInvalid(f"`{name}` leads out of `{folder}`", fix="put the file beside the contract")
        with file.open("rb") as opened:
            written = opened.read(bytes_max + 1)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else "it has no such name"
        raise ContractInvalid(f"`{name}` cannot be read: {said}", fix="name a file beside the contract") from error
    if len(written) > bytes_max:
        raise ContractInvalid(f"`{name}` has more than {bytes_max:,} bytes", fix="cut it to what the tools use")
    return written
