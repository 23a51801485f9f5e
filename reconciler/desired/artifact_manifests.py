"""Files that releases name by their content, as pydantic models. Looks at one file only."""

from __future__ import annotations

from pydantic import Field

from reconciler.desired.fields import ExeName, FileName, MsiName, MspName, MstName, Sha256, Signer, Source
from reconciler.desired.manifest_model import Manifest

_SHA256 = "SHA-256 of the file in hexadecimal. A file that differs is refused."
_SIZE = "Size of the file in bytes."
_SOURCES = (
    "Where the file can be had: http or https addresses, without user or password. They are tried in this order."
)


class NamedFileManifest(Manifest):
    """A file named by its content."""

    sha256: Sha256 = Field(description=_SHA256)
    size: int = Field(gt=0, description=_SIZE)
    file: str
    sources: list[Source] = Field(default_factory=list, description=_SOURCES)


class TransformManifest(NamedFileManifest):
    """A transform (.mst) applied to the MSI, named by its content."""

    file: MstName = Field(description="The file's own name.")


class FileArtifactManifest(NamedFileManifest):
    """A file to be placed, named by its content."""

    file: FileName = Field(description="The file's own name; where it is placed is said by path.")


class ArtifactManifest(NamedFileManifest):
    """The file to install, named by its content."""

    signer: Signer | None = Field(
        default=None,
        description="Who must have signed the file: the common name (CN=…) or organisation (O=…) of the "
        "certificate. Hosts run nothing that it did not sign, and reconciler validate --artifacts checks it.",
    )


class MsiArtifactManifest(ArtifactManifest):
    """The MSI file, named by its content."""

    file: MsiName = Field(description="The file's own name. A minor update may look for its source by it.")


class MspArtifactManifest(ArtifactManifest):
    """The patch file, named by its content."""

    file: MspName = Field(description="The file's own name.")


class ExeArtifactManifest(ArtifactManifest):
    """The installer, named by its content."""

    file: ExeName = Field(description="The file's own name.")
