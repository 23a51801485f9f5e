"""The database: made at once or migrated, the tables are the same; what is not ours is not touched."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from reconciler.store import database as module
from reconciler.store.database import NEWEST_MIGRATION, Database, StoreError
from reconciler.store.hosts import HostStore
from reconciler.store.outbox import TOLD_REVISION
from reconciler.store.revisions import RevisionStore
from reconciler.store.tables import metadata

MIGRATIONS = Path(module.__file__).parent / "migrations"


def test_migrated_from_nothing_the_tables_are_what_the_code_works_with(tmp_path: Path) -> None:
    path = tmp_path / "reconciler.sqlite"
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    raw.close()
    migrated = Database(path)
    with migrated.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == NEWEST_MIGRATION
    migrated.close()


def test_the_code_works_with_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == NEWEST_MIGRATION


def test_opening_again_keeps_everything(tmp_path: Path) -> None:
    path = tmp_path / "reconciler.sqlite"
    first = Database(path)
    with first.write() as connection:
        connection.exec_driver_sql("INSERT INTO facts VALUES ('a', 'b')")
    first.close()
    second = Database(path)
    with second.read() as connection:
        assert connection.exec_driver_sql("SELECT value FROM facts").scalar() == "b"
    second.close()


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "reconciler.sqlite"
    made = Database(path)
    with made.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    made.close()
    with pytest.raises(StoreError, match="schema 9999") as refused:
        Database(path)
    assert not open_files(path), refused


def open_files(path: Path) -> list[str]:
    """Return what this process has open of a database."""
    targets = []
    for handle in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            targets.append(str(handle.readlink()))
    return [target for target in targets if target.startswith(str(path))]


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "reconciler.sqlite"
    path.write_bytes(b"precious" * 1000)
    with pytest.raises(StoreError, match="cannot be opened") as refused:
        Database(path)
    assert not open_files(path), refused
    assert path.read_bytes() == b"precious" * 1000


def test_an_error_within_a_transaction_undoes_it(tmp_path: Path) -> None:
    database = Database(tmp_path / "reconciler.sqlite")

    def write_and_fail() -> None:
        with database.write() as connection:
            connection.exec_driver_sql("INSERT INTO facts VALUES ('a', 'b')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM facts").scalar() == 0
    database.close()


def test_bringing_a_database_up_to_date_finds_the_hosts_that_had_failed_tries(tmp_path: Path) -> None:
    path = tmp_path / "reconciler.sqlite"
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        said = {
            "FAILED-1": '{"products":[],"tallies":[{"package":"app","failures":2}]}',
            "WAITED-1": '{"tallies":[{"package":"app","failures":0}]}',
            "FINE-1": '{"products":[]}',
            "NEW-1": None,
        }
        for name, observation in said.items():
            row = {"name": name, "said": observation}
            connection.execute(
                sa.text(
                    "INSERT INTO hosts (name, environment, key_sha256, enrolled_at, last_seen, observation) "
                    "VALUES (:name, 'dev', '', 0, 0, :said)"
                ),
                row,
            )
    engine.dispose()
    database = Database(path)
    assert HostStore(database).failing() == {"FAILED-1"}
    database.close()


def test_an_outbox_added_to_an_installation_begins_with_what_comes(tmp_path: Path) -> None:
    path = tmp_path / "reconciler.sqlite"
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        connection.exec_driver_sql(
            "INSERT INTO revisions (sequence, 'commit', seen_at, committed_at, author, subject, verdict, "
            "findings, rewritten) VALUES (7, 'c', 1, 1, 'a', 's', 'invalid', '[]', 0)"
        )
        connection.commit()
    engine.dispose()
    migrated = Database(path)
    assert RevisionStore(migrated).fact(TOLD_REVISION) == "7"
    migrated.close()
