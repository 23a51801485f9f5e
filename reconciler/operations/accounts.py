"""Accounts of people: adds and removes them, and makes their passwords. Each password is shown once, here."""

from __future__ import annotations

import re
from dataclasses import dataclass

from reconciler.kernel.errors import ReconcilerError
from reconciler.review.passwords import hash_password, make_password
from reconciler.site import Site
from reconciler.store.accounts import AccountRecord

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,37}[a-z0-9])?")
_MAIL = re.compile(r"[^\s<>@]+@[^\s<>@]+")
_RESERVED = frozenset({"unknown", "reconciler"})


class AccountRefused(ReconcilerError):
    """An account that cannot be made, or that there is not."""

    reference = "account-refused"


@dataclass(frozen=True, slots=True)
class MadePassword:
    """A password that was just made. It is kept nowhere."""

    account: str
    password: str


def add_account(site: Site, name: str, mail: str) -> MadePassword:
    """Add an account, and return its password.

    Args:
        site: the installation.
        name: what the person signs in by; lower case.
        mail: the address that stands in commits, by which the person's own commits are known.

    Raises:
        AccountRefused: the name cannot be had, or the address is none.
    """
    if _NAME.fullmatch(name) is None or name in _RESERVED:
        raise AccountRefused(
            f"{name!r} cannot be the name of an account",
            hint="use up to 39 lower-case letters, digits, dots, dashes and underscores",
        )
    if _MAIL.fullmatch(mail) is None or not mail.isprintable():
        raise AccountRefused(f"{mail!r} is no mail address", hint="give the one that git has as user.email")
    _demand_free_mail(site, mail)
    password, now = make_password(), site.clock()
    if not site.accounts.add(AccountRecord(name, mail, hash_password(password), now, now)):
        raise AccountRefused(
            f"there is an account {name}, or was",
            hint="what it approved stays on record, so its name is not given again: choose another",
        )
    return MadePassword(name, password)


def renew_password(site: Site, name: str) -> MadePassword:
    """Give an account another password, and return it. The old one is good no longer.

    Raises:
        AccountRefused: there is no such account, or it was removed.
    """
    password = make_password()
    if not site.accounts.set_password(name, hash_password(password), site.clock()):
        raise _unknown(name)
    return MadePassword(name, password)


def remove_account(site: Site, name: str) -> None:
    """Let an account sign in no longer. What it did stays on record.

    Raises:
        AccountRefused: there is no such account, or it was removed.
    """
    if not site.accounts.remove(name, site.clock()):
        raise _unknown(name)


def _demand_free_mail(site: Site, mail: str) -> None:
    """Refuse an address that another has: whose commits are whose goes by it."""
    for account in site.accounts.all():
        if account.mail.casefold() == mail.casefold() and account.removed_at is None:
            raise AccountRefused(f"the account {account.name} has the address {mail}", hint="give another address")


def _unknown(name: str) -> AccountRefused:
    return AccountRefused(f"there is no account {name}", hint="reconciler account list shows which there are")
