"""Files that a contract names: beside it, or in a folder below. What leads elsewhere is refused."""

from pathlib import Path

from interlock.core.errors import ContractInvalid


def file_beside(folder: Path, name: str, bytes_max: int) -> bytes:
    """Read a file beside the contract.

    Raises:
        ContractInvalid: it is not there, it is elsewhere, or it is larger than that.
    """
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
