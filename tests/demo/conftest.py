"""A company of its own for every test, as the tools find it."""

from collections.abc import Generator
from pathlib import Path

import pytest

from interlock_demo.company import Company, draw_company, write_company
from interlock_demo.schema import company_at


@pytest.fixture(scope="session")
def company() -> Company:
    return draw_company(1)


@pytest.fixture
def books(company: Company, tmp_path: Path) -> Generator[Path]:
    """The database of the company, which the tools work on."""
    database = tmp_path / "company.db"
    write_company(company, database)
    with company_at(database):
        yield database
