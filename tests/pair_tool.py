"""A tool whose effects can be counted: a line in a file for each, whichever process writes it."""

import asyncio
import os


async def note(line: str) -> str:
    """Write a line, after as long as a call to somewhere takes."""
    await asyncio.sleep(0.02)
    with open(os.environ["PAIR_FILE"], "a", encoding="utf-8") as file:
        file.write(line + "\n")
    await asyncio.sleep(0.02)
    return line


async def note_late(line: str) -> str:
    """Write a line at once, and answer a good while later."""
    with open(os.environ["PAIR_FILE"], "a", encoding="utf-8") as file:
        file.write(line + "\n")
    await asyncio.sleep(1.5)
    return line


note_if_agreed = note
