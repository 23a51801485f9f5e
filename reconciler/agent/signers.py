"""Refuses a file that was not signed by whom its release pins. Checks no hash, and fetches nothing."""

from __future__ import annotations

from reconciler.agent.machine import ArtifactRefused, Signatures
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.signatures import refusal


def demand_signer(signatures: Signatures, artifact: Artifact, path: str) -> None:
    """Return where a file may be run, as far as its signature goes; at once where no signer is pinned.

    Args:
        signatures: checks signatures on the machine that has the file.
        artifact: what the catalog says of the file.
        path: where the file lies on that machine.

    Raises:
        ArtifactRefused: its signature does not hold there, or is somebody else's.
    """
    if not artifact.signer:
        return
    if why := refusal(artifact.signer, signatures.examine(path)):
        raise ArtifactRefused(
            f"{why}; nothing was run",
            where=artifact.file_name,
            hint="see on the host what its properties say under Digital Signatures: either the signer in the "
            "catalog is not who signs this product, or the file must not be installed",
        )
