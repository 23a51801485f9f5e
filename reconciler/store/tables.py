"""The tables. Times are seconds since the epoch; documents are JSON texts of the kernel's wire form."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

facts = sa.Table(
    "facts",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    comment="What the daemon says of itself: which repository it follows, which revision is in force.",
)

revisions = sa.Table(
    "revisions",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("commit", sa.Text, nullable=False, index=True),
    sa.Column("seen_at", sa.Float, nullable=False),
    sa.Column("committed_at", sa.Float, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("findings", sa.Text, nullable=False),
    sa.Column("rewritten", sa.Boolean, nullable=False),
    comment="Every head of the branch that was seen, and what became of it. Append-only.",
)

enrolment_tokens = sa.Table(
    "enrolment_tokens",
    metadata,
    sa.Column("token_sha256", sa.Text, primary_key=True),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
    sa.Column("used_by", sa.Text),
    sa.Column("used_key_sha256", sa.Text),
    sa.Column("used_at", sa.Float),
    sa.Column("host", sa.Text),
    comment="One-time permissions to enrol; one that names a host may also replace that host's key.",
)

replacements = sa.Table(
    "replacements",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("host", sa.Text, nullable=False, index=True),
    sa.Column("key_sha256", sa.Text, nullable=False),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("old_key_sha256", sa.Text, nullable=False),
    sa.Column("old_environment", sa.Text, nullable=False),
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("asked_at", sa.Float, nullable=False),
    sa.Column("state", sa.Text, nullable=False, index=True),
    sa.Column("decided_at", sa.Float),
    sa.Column("decided_by", sa.Text, nullable=False, server_default=""),
    sqlite_autoincrement=True,
    comment="Each request to replace a host's key or environment: from where, and who decided what.",
)

machines = sa.Table(
    "machines",
    metadata,
    sa.Column("host", sa.Text, primary_key=True),
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("start", sa.Integer, nullable=False),
    sa.Column("machine", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("first_seen", sa.Float, nullable=False),
    sa.Column("came_back", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False, index=True),
    sa.Column("why", sa.Text, nullable=False, server_default=""),
    comment="The last starts of each host's agent: two that speak in turns are two machines with one key.",
)

hosts = sa.Table(
    "hosts",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("key_sha256", sa.Text, nullable=False),
    sa.Column("enrolled_at", sa.Float, nullable=False),
    sa.Column("last_seen", sa.Float, nullable=False),
    sa.Column("busy", sa.Text),
    sa.Column("reported_at", sa.Float),
    sa.Column("report_digest", sa.Text, nullable=False, server_default=""),
    sa.Column("acknowledged", sa.Text, nullable=False, server_default=""),
    sa.Column("observation", sa.Text),
    sa.Column("assigned", sa.Text, nullable=False, server_default=""),
    sa.Column("assigned_revision", sa.Text, nullable=False, server_default=""),
    sa.Column("assigned_at", sa.Float),
    sa.Column("trouble", sa.Text, nullable=False, server_default=""),
    sa.Column("failing", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index("ix_hosts_failing", "failing"),
    comment="Each enrolled host: how it proves itself, what it last said, and what it should have.",
)

tickets = sa.Table(
    "tickets",
    metadata,
    sa.Column("ticket_sha256", sa.Text, primary_key=True),
    sa.Column("artifact", sa.Text, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
    comment="Who shows one of these may fetch one file: hosts that the server reaches itself have no key.",
)

managed = sa.Table(
    "managed",
    metadata,
    sa.Column("host", sa.Text, primary_key=True),
    sa.Column("package", sa.Text, primary_key=True),
    comment="What each host was asked to have: only that may be pruned once it is named no longer.",
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("package", sa.Text, nullable=False),
    sa.Column("revision", sa.Text, nullable=False),
    sa.Column("started_at", sa.Float, nullable=False),
    sa.Column("ended_at", sa.Float),
    sa.Column("outcome", sa.Text),
    sa.Column("document", sa.Text, nullable=False),
    sa.Index("ix_attempts_host_package", "host", "package", "started_at"),
    sa.Index("ix_attempts_started_at", "started_at"),
    comment="Every try at a step. An attempt that has ended never changes again.",
)

retries = sa.Table(
    "retries",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("package", sa.Text, nullable=False),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("goal", sa.Text, nullable=False),
    sa.Column("failure", sa.Text),
    comment="Who asked when and why that tries be counted afresh. Append-only; an empty host means them all.",
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("facts", sa.Text, nullable=False),
    sa.Column("previous", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    comment="What happened, each record with the hash of the one before. Append-only.",
)

situations = sa.Table(
    "situations",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("document", sa.Text, nullable=False),
    comment="What people were told of and still is so. Changed with the letters that tell of it.",
)

letters = sa.Table(
    "letters",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("recipient", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("message", sa.Text),
    sa.Column("sent_at", sa.Float),
    sa.Column("given_up_at", sa.Float),
    sa.Index("ix_letters_lane", "channel", "recipient", "number"),
    sqlite_autoincrement=True,
    comment="The outbox: what is to be told, and what was. Letters with one message go out together.",
)

lanes = sa.Table(
    "lanes",
    metadata,
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("recipient", sa.Text, primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("failing_since", sa.Float, nullable=False),
    sa.Column("next_at", sa.Float, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    comment="The channels that failed last, and when the next try is due.",
)

standings = sa.Table(
    "standings",
    metadata,
    sa.Column("host", sa.Text, primary_key=True),
    sa.Column("package", sa.Text, primary_key=True),
    sa.Column("sync", sa.Text, nullable=False),
    sa.Column("health", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("installed", sa.Text),
    sa.Column("wanted", sa.Text),
    sa.Column("message", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_standings_health", "health"),
    comment="Where each package of each host last stood, and since when.",
)

transitions = sa.Table(
    "transitions",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False, index=True),
    sa.Column("host", sa.Text, nullable=False, index=True),
    sa.Column("package", sa.Text, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    comment="Each change of a standing. Append-only.",
)

admissions = sa.Table(
    "admissions",
    metadata,
    sa.Column("environment", sa.Text, primary_key=True),
    sa.Column("commit", sa.Text, nullable=False),
    sa.Column("examined", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("blocked", sa.Text, nullable=False),
    sa.Column("reasons", sa.Text, nullable=False),
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    comment="How far along the branch each environment has gone, and why no further.",
)

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("commit", sa.Text, primary_key=True),
    sa.Column("environment", sa.Text, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    comment="What was last decided of each commit for an environment that it concerns.",
)

received = sa.Table(
    "received",
    metadata,
    sa.Column("object", sa.Text, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    comment="When commits and tags were first looked at: whether their keys had expired by then.",
)

reviewed = sa.Table(
    "reviewed",
    metadata,
    sa.Column("commit", sa.Text, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("document", sa.Text),
    comment="What the forge said of the change that a commit came by; nothing where it came by none.",
)

sightings = sa.Table(
    "sightings",
    metadata,
    sa.Column("forge", sa.Text, primary_key=True),
    sa.Column("change", sa.Text, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    comment="What was seen of each change at a forge while it was open: its pushers, and who rejected it.",
)

forge_accounts = sa.Table(
    "forge_accounts",
    metadata,
    sa.Column("forge", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    comment="The id that each login at a forge had when it was first seen.",
)

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("mail", sa.Text, nullable=False),
    sa.Column("password", sa.Text, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("password_at", sa.Float, nullable=False),
    sa.Column("removed_at", sa.Float),
    comment="Who may sign in. A name is never given twice: what it approved stays on record.",
)

pushes = sa.Table(
    "pushes",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("ref", sa.Text, nullable=False),
    sa.Column("old", sa.Text, nullable=False),
    sa.Column("new", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Index("ix_pushes_ref", "ref", "number"),
    sa.Index("ix_pushes_outcome", "outcome"),
    sqlite_autoincrement=True,
    comment="Who moved which ref of the hosted repository, put down before it moves. No account: nobody known.",
)

changes = sa.Table(
    "changes",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("branch", sa.Text, nullable=False, index=True),
    sa.Column("state", sa.Text, nullable=False, index=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("described", sa.Boolean, nullable=False),
    sa.Column("requester", sa.Text, nullable=False),
    sa.Column("head", sa.Text, nullable=False),
    sa.Column("first_push", sa.Integer, nullable=False),
    sa.Column("last_push", sa.Integer, nullable=False),
    sa.Column("opened_at", sa.Float, nullable=False),
    sa.Column("ended_at", sa.Float),
    sa.Column("ended_by", sa.Text, nullable=False),
    sa.Column("merge_commit", sa.Text, nullable=False, index=True),
    sqlite_autoincrement=True,
    comment="Changes of the built-in review: branches that ask to be merged, or did.",
)

reviews = sa.Table(
    "reviews",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("change", sa.Integer, nullable=False, index=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("head", sa.Text, nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
    sqlite_autoincrement=True,
    comment="What people said of changes, and of which head. Append-only; the last word of each counts.",
)

change_notes = sa.Table(
    "change_notes",
    metadata,
    sa.Column("change", sa.Integer, primary_key=True),
    sa.Column("marker", sa.Text, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    comment="What Reconciler itself says of changes, each kept up to date in place.",
)

commit_statuses = sa.Table(
    "commit_statuses",
    metadata,
    sa.Column("commit", sa.Text, primary_key=True),
    sa.Column("context", sa.Text, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    comment="How checks of commits stand.",
)
