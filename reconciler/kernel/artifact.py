"""Artifacts: files, kept by their hash."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file, kept by its hash.

    ``file_name`` is the name the vendor gave it: a minor update may look for its source under that name.
    ``size`` is in bytes, ``sha256`` in lower-case hexadecimal. ``signer`` names who must have signed it: a part of
    the certificate's subject (``CN=…`` or ``O=…``), empty where it need not be signed.
    """

    sha256: str
    size: int
    file_name: str
    signer: str = ""
