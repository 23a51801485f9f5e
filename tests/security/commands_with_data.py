"""Every command that prints data, with the data it prints built by the test instead of an installation."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.operations.text_files import FileChange
from reconciler.planning.comparison import ReleaseNote
from reconciler.planning.proposal import Proposal
from reconciler.presentation.json_text import as_json
from reconciler.store.revisions import RevisionRecord
from tests.security.hostile import Text, build

Patch = Callable[[pytest.MonkeyPatch, Text], None]


@dataclass(frozen=True)
class Command:
    """A command line, and how what it shows is put in place. ``formats`` are its formats besides the default."""

    words: tuple[str, ...]
    patch: Patch
    formats: tuple[str, ...] = ("json",)

    def __str__(self) -> str:
        return " ".join(self.words)


MADE: dict[type, Callable[[Text], Any]] = {
    # Line feeds end lines in a file, so that its text has none; all else is data.
    FileChange: lambda text: FileChange(text(), "a\nb\n", "a\n" + text().replace("\n", "\\n") + "\n"),
    # Notes may have lines, which are joined.
    ReleaseNote: lambda text: ReleaseNote(text(), text(), text(), text().replace("\n", "\\n")),
    RevisionRecord: lambda text: replace(
        build(RevisionRecord, text),
        findings=({"path": text(), "line": 1, "column": 1, "message": text(), "hint": text()},),
    ),
}


def made(hint: Any, text: Text) -> Any:
    return build(hint, text, MADE)


@contextlib.contextmanager
def _site(*_: Any, **__: Any) -> Iterator[Any]:
    yield SimpleNamespace()


def returning(target: str, name: str) -> Patch:
    """Have an operation return a value of a class, named as ``module:Class``, built of hostile text."""

    def patch(monkeypatch: pytest.MonkeyPatch, text: Text) -> None:
        value = made(_class(name), text)
        monkeypatch.setattr(target, lambda *_, **__: value)

    return patch


def _class(name: str) -> Any:
    import importlib

    module, _, kind = name.partition(":")
    return getattr(importlib.import_module(module), kind)


def in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every command do without an installation."""
    monkeypatch.setattr("reconciler.site.open_site", _site)
    monkeypatch.setattr("reconciler.site.has_installation", lambda *_: True)


def _history(monkeypatch: pytest.MonkeyPatch, text: Text) -> None:
    from reconciler.operations.history import Happening

    full = made(Happening, text)
    one_of = [field.name for field in fields(Happening) if field.name not in ("at", "host")]
    entries = [Happening(1.0, full.host, **{name: getattr(full, name)}) for name in one_of]
    monkeypatch.setattr("reconciler.operations.history.history", lambda *_, **__: entries)


def _audit(monkeypatch: pytest.MonkeyPatch, text: Text) -> None:
    for target, kind in (
        ("reconciler.operations.audit.verify_audit", "reconciler.operations.audit:Verification"),
        (
            "reconciler.operations.audit_evidence.read_checkpoints",
            "reconciler.operations.audit_evidence:CheckpointEvidence",
        ),
    ):
        returning(target, kind)(monkeypatch, text)
    witness = made(_class("reconciler.operations.anchor:WitnessState"), text)
    monkeypatch.setattr("reconciler.operations.anchor.witness_states", lambda *_: (witness,))


def _accounts(monkeypatch: pytest.MonkeyPatch, text: Text) -> None:
    from reconciler.store.accounts import AccountRecord

    accounts = SimpleNamespace(all=lambda: [made(AccountRecord, text)])

    @contextlib.contextmanager
    def site(*_: Any) -> Iterator[Any]:
        yield SimpleNamespace(accounts=accounts)

    monkeypatch.setattr("reconciler.site.open_site", site)


def _lab(monkeypatch: pytest.MonkeyPatch, text: Text) -> None:
    from reconciler.lab import HostStatus

    hosts = (made(HostStatus, text),)
    monkeypatch.setattr("reconciler.operations.lab.lab_of", lambda _: SimpleNamespace(status=lambda: hosts))


def change_shown(text: Text) -> Any:
    """Return a change as the server answers it."""
    from reconciler.operations.review import ChangeDetail
    from reconciler.planning.report import as_markdown, as_text

    # The server joins what is said by lines: in a body they are the writer's own.
    detail = made(ChangeDetail, text)
    assert detail.plan is not None
    shown = {
        "detail": json.loads(as_json(detail)),
        "plan": {"text": as_text(detail.plan), "markdown": as_markdown(detail.plan)},
        "warnings": [text()],
    }
    shown["detail"]["body"] = shown["detail"]["body"].replace("\n", "\\n")
    for note in shown["detail"]["notes"]:
        note["body"] = note["body"].replace("\n", "\\n")
    shown["detail"]["change"]["state"] = "open"
    return shown


def _change(monkeypatch: pytest.MonkeyPatch, text: Text) -> None:
    _answer(monkeypatch, change_shown(text))


def _changes(monkeypatch: pytest.MonkeyPatch, text: Text) -> None:
    from reconciler.operations.review import ShownChange

    _answer(monkeypatch, [json.loads(as_json(made(ShownChange, text)))])


def _answer(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    server = SimpleNamespace(get=lambda *_: answer, post=lambda *_: answer)
    monkeypatch.setattr("reconciler.cli.change.server_from", lambda *_: server)


def _promotion(monkeypatch: pytest.MonkeyPatch, text: Text) -> None:
    from reconciler.operations.promote import Promotion, moment
    from reconciler.planning.proposal_report import as_message

    proposal = made(Proposal, text)
    promotion = replace(made(Promotion, text), proposal=proposal, message=as_message(proposal, moment))
    monkeypatch.setattr("reconciler.operations.promote.promote", lambda *_: promotion)


def _findings(monkeypatch: pytest.MonkeyPatch, text: Text) -> None:
    from reconciler.desired.findings import Finding
    from reconciler.desired.loading import Loaded

    loaded = Loaded(None, (made(Finding, text),))
    monkeypatch.setattr("reconciler.operations.validate.validate", lambda *_: loaded)


def _publishing(monkeypatch: pytest.MonkeyPatch, text: Text) -> None:
    from reconciler.operations.arrival import Arrival, ArrivalState
    from reconciler.operations.publish import Published

    published, arrival = made(Published, text), made(Arrival, text)
    arrivals = [replace(arrival, state=state) for state in ArrivalState]
    monkeypatch.setattr("reconciler.operations.publish.publish", lambda *_: published)
    monkeypatch.setattr("reconciler.operations.arrival.await_arrival", lambda *_: iter(arrivals))


def _init(monkeypatch: pytest.MonkeyPatch, text: Text) -> None:
    from reconciler.operations.init import Fate, Initialised

    value = made(Initialised, text)
    value = replace(value, files=tuple(replace(value.files[0], fate=fate) for fate in Fate))
    monkeypatch.setattr("reconciler.operations.init.init", lambda *_, **__: value)


MSI = str(Path(__file__))
"""Any file that is there: the operation that would read it is replaced."""

COMMANDS = [
    Command(
        ("status",),
        returning("reconciler.operations.status.site_status", "reconciler.operations.status:SiteStatus"),
    ),
    Command(
        ("host", "H"), returning("reconciler.operations.host.host_detail", "reconciler.operations.host:HostDetail")
    ),
    Command(
        ("trace", "H", "app"), returning("reconciler.operations.trace.trace", "reconciler.operations.trace:Trace")
    ),
    Command(("history",), _history),
    Command(
        ("audit", "verify"),
        _audit,
    ),
    Command(
        ("plan",),
        returning("reconciler.operations.plan.plan_revision", "reconciler.planning.comparison:Comparison"),
        ("json", "markdown"),
    ),
    Command(
        ("adopt", "H"), returning("reconciler.operations.adopt.adopt", "reconciler.operations.adopt:Adoption")
    ),
    Command(("change", "list"), _changes),
    Command(("change", "show", "1"), _change, ("json", "markdown")),
    Command(("change", "approve", "1"), _change),
    Command(("promote", "--to", "prod"), _promotion, ("json", "markdown")),
    Command(("validate",), _findings, ("json", "github", "sarif")),
    Command(("publish", MSI, "--package", "app", "--environment", "dev", "--wait"), _publishing),
    Command(
        ("import", MSI),
        returning(
            "reconciler.operations.import_release.import_releases",
            "reconciler.operations.import_release:ImportResult",
        ),
    ),
    Command(
        ("retry", "H", "app"),
        returning("reconciler.operations.retry.retry_host", "reconciler.operations.retry:Retried"),
    ),
    Command(("account", "list"), _accounts),
    Command(("init", "."), _init),
    Command(("lab", "status"), _lab),
    Command(
        ("agent", "push", "H"),
        returning("reconciler.operations.push_agent.push_agent", "reconciler.operations.push_agent:PushedAgent"),
    ),
]
