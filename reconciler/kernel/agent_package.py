"""What tells the agent's own package from every other: agents replace themselves in another way than the rest."""

AGENT_UPGRADE_CODE = "{6B0E4C53-6A2C-4D0B-9E0C-1F8A6F6B7D21}"
"""The family of the agent's MSIs, for ever. Each of them takes away every other, older or newer."""

PUT_BACK = "was put back"
"""Ends what is told of a failed run where what it had taken away is there again."""
