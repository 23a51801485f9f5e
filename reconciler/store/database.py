"""Opens the database, brings its tables up to date, and gives out connections."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from reconciler.kernel.errors import ReconcilerError
from reconciler.store.data_folder import FILE_MODE, FOLDER_MODE
from reconciler.store.tables import metadata

NEWEST_MIGRATION = "0011"
"""The schema revision that this code works with; a test holds it against the migrations."""

_MIGRATIONS = Path(__file__).parent / "migrations"


class StoreError(ReconcilerError):
    """The store cannot be opened, or belongs to another version of Reconciler."""

    reference = "store"


class Database:
    """One SQLite file in write-ahead mode: many readers beside one writer, and safe through a power cut."""

    def __init__(self, path: Path) -> None:
        """Open the database at ``path``, creating it or bringing it up to date where needed.

        Raises:
            StoreError: the file cannot be used.
        """
        _make_private(path)
        self._engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})
        sa.event.listen(self._engine, "connect", _configure)
        try:
            self._bring_up_to_date()
        except StoreError:
            self.close()
            raise
        except sa.exc.DatabaseError as error:
            self.close()
            raise StoreError(
                f"the database cannot be opened: {error.orig}",
                where=str(path),
                hint="check that the file is a Reconciler database and can be written; restore it from a backup",
            ) from error

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Give a connection for reading."""
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Give a connection in a transaction that is committed at the end, or rolled back on an error.

        The transaction takes SQLite's write lock at its start, so what is read in it still holds at its end.
        """
        with self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def _bring_up_to_date(self) -> None:
        with self._engine.connect() as connection:
            if sa.inspect(connection).has_table("alembic_version"):
                current = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
                if current == NEWEST_MIGRATION:
                    return
                if current is not None and str(current) > NEWEST_MIGRATION:
                    raise StoreError(
                        f"the database has schema {current}, this version works with {NEWEST_MIGRATION}",
                        hint="run the newer version of Reconciler that last opened it",
                    )
                self._migrate()
                return
        self._create()

    def _create(self) -> None:
        """Make the tables at once; a test holds them against what the migrations would make."""
        with self.write() as connection:
            metadata.create_all(connection)
            connection.exec_driver_sql(
                "CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL)"
            )
            connection.exec_driver_sql("DELETE FROM alembic_version")
            connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (NEWEST_MIGRATION,))

    def _migrate(self) -> None:
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        with self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            config.attributes["connection"] = connection
            command.upgrade(config, NEWEST_MIGRATION)
            connection.commit()


def _make_private(path: Path) -> None:
    """Make an empty file for this account alone; SQLite gives its -wal and -shm files the mode of the database.

    Raises:
        StoreError: it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE))
    except OSError as error:
        what = f"the database cannot be opened: {error.strerror or error}"
        raise StoreError(what, where=str(path), hint="check that its folder can be written") from error


def _configure(connection: Any, _record: Any) -> None:
    """Set up a new SQLite connection; transactions are begun by us, not by the driver."""
    connection.isolation_level = None
    try:
        for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {setting}")
    except sqlite3.Error:
        connection.close()  # the pool does not know it yet, so nobody else would
        raise
