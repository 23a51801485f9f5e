"""Windows hosts without Windows: Wine prefixes with the official Windows Python, for a first try and for tests."""

from reconciler.lab.commands import Background, Finished
from reconciler.lab.errors import LabError, LabTimeout, LabUnavailable
from reconciler.lab.host import LabHost
from reconciler.lab.laboratory import HostStatus, Lab
from reconciler.lab.layering import Layering
from reconciler.lab.requirements import missing, require

__all__ = [
    "Background",
    "Finished",
    "HostStatus",
    "Lab",
    "LabError",
    "LabHost",
    "LabTimeout",
    "LabUnavailable",
    "Layering",
    "missing",
    "require",
]
