"""Accounts of people: who may sign in, each with the hash of a password. Passwords themselves are never kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from reconciler.store.audit import Happened, append
from reconciler.store.database import Database
from reconciler.store.tables import accounts, audit


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """Somebody who may sign in, or could until ``removed_at``. ``password`` is its hash; times as always."""

    name: str
    mail: str
    password: str
    created_at: float
    password_at: float
    removed_at: float | None = None


class AccountStore:
    """Reads and writes accounts. None is ever deleted, so that a name always means the same person."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, account: AccountRecord) -> bool:
        """Keep a new account; return whether its name was still free."""
        with self._database.write() as connection:
            taken = connection.scalar(sa.select(accounts.c.name).where(accounts.c.name == account.name))
            if taken is not None:
                return False
            connection.execute(
                sa.insert(accounts).values(
                    name=account.name,
                    mail=account.mail,
                    password=account.password,
                    created_at=account.created_at,
                    password_at=account.password_at,
                )
            )
            told = {"account": account.name, "mail": account.mail}
            append(connection, account.created_at, Happened.ACCOUNT_ADDED, [told])
        return True

    def set_password(self, name: str, password: str, now: float) -> bool:
        """Keep another hash for an account; return whether there is such an account that was not removed."""
        with self._database.write() as connection:
            done = connection.execute(_standing(name).values(password=password, password_at=now))
            if done.rowcount == 1:
                append(connection, now, Happened.PASSWORD_MADE, [{"account": name}])
            return done.rowcount == 1

    def remove(self, name: str, now: float) -> bool:
        """Let an account sign in no longer; return whether there was such an account."""
        with self._database.write() as connection:
            done = connection.execute(_standing(name).values(password="", removed_at=now))
            if done.rowcount == 1:
                append(connection, now, Happened.ACCOUNT_REMOVED, [{"account": name}])
            return done.rowcount == 1

    def find(self, name: str) -> AccountRecord | None:
        """Return an account, removed or not; ``None`` where there never was one of this name."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(accounts).where(accounts.c.name == name)).one_or_none()
        return AccountRecord(**row._mapping) if row is not None else None

    def all(self) -> tuple[AccountRecord, ...]:
        """Return every account by its name, the removed ones included."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(accounts).order_by(accounts.c.name)).all()
        return tuple(AccountRecord(**row._mapping) for row in rows)

    def signed_in_from(self, most: int) -> tuple[tuple[str, str], ...]:
        """Return which accounts signed in from which addresses, by the newest records of it, the oldest first.

        Args:
            most: how many records to look at.
        """
        query = sa.select(audit.c.facts).where(audit.c.kind == Happened.SIGNED_IN)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(audit.c.number.desc()).limit(most)).all()
        told = (json.loads(row.facts) for row in reversed(rows))
        return tuple((facts["account"], facts["address"]) for facts in told)

    def record(self, kind: Happened, facts: Mapping[str, Any], now: float) -> None:
        """Put a sign-in, or failed ones, into the audit chain."""
        with self._database.write() as connection:
            append(connection, now, kind, [facts])


def _standing(name: str) -> sa.Update:
    return sa.update(accounts).where(accounts.c.name == name, accounts.c.removed_at.is_(None))
