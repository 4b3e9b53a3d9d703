"""`action pictures`: what pages looked like as an action was carried out, as files."""

from pathlib import Path

from interlock.door.cli.reading import InputWrong
from interlock.door.cli.render import clean, table
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import awaited, session
from interlock.door.told.payloads import Missing
from interlock.door.told.pictures import picture_data, pictures_of, png_of
from interlock.owned import write_new


@awaited
async def pictures(typed: Typed) -> int:
    """Say which pictures there are of an action, and write them where they are wanted."""
    folder = Path(typed.given.out) if typed.given.out is not None else None
    found, lines = list[dict[str, object]](), list[list[object]]()
    with session(typed) as here:
        row = await here.action(typed.given.id)
        for picture in await pictures_of(here, row):
            png = await png_of(here, picture)
            file = ""
            if folder is not None and not isinstance(png, Missing):
                file = str(_written(folder / f"{row.action.id}-{picture.entry}-{picture.moment}.png", png))
            said = picture_data(picture, png)
            found.append({**said, "file": file or None})
            size = f"{said['bytes']:,} bytes" if "bytes" in said else str(png)
            lines.append([picture.moment, picture.entry, size, clean(file)])
    text = table(["MOMENT", "ENTRY", "SIZE", "FILE"], lines, typed.screen.width, right=(1,))
    typed.screen.show(found, text if found else "there are no pictures of it")
    if found and folder is None:
        typed.screen.note(f"note: write them: `interlock action pictures {row.action.id} --out FOLDER`")
    return 0


def _written(file: Path, png: bytes) -> Path:
    """Write a file that only its owner reads: a page shows whatever it shows.

    Raises:
        InputWrong: it is there already, or cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_new(file, png)
    except OSError as error:
        why = (error.strerror or "unknown").lower()
        raise InputWrong(f"`{file}` cannot be written ({why})", fix="name another folder with `--out`") from error
    return file
