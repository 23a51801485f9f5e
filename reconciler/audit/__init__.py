"""The anchor of the audit chain: signed checkpoints, and the witnesses outside the database that keep them."""
