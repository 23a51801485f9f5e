"""Which entries of an environment are in force as of which commits, and when signatures were first received."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the table and the document; what is on record so far is in force as a whole."""
    op.create_table(
        "received",
        sa.Column("object", sa.Text, primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.add_column("admissions", sa.Column("document", sa.Text, nullable=False, server_default=""))
    table = sa.table(
        "admissions",
        *(
            sa.column(name)
            for name in ("environment", "commit", "examined", "state", "blocked", "reasons", "document")
        ),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(table)).all():
        document = {
            "environment": row.environment,
            "commit": row.commit,
            "examined": row.examined,
            "state": row.state,
            "blocked": row.blocked,
            "reasons": json.loads(row.reasons),
            "catalog": row.commit,
        }
        statement = sa.update(table).where(table.c.environment == row.environment)
        connection.execute(statement.values(document=json.dumps(document)))
