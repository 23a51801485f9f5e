"""A WinRM endpoint for lab hosts: its server side runs on their Windows Python, the rest here."""

from reconciler.lab.winrm.endpoint import ClientCertificates, WinrmEndpoint, WinrmSettings
from reconciler.lab.winrm.server.limits import Limits

__all__ = ["ClientCertificates", "Limits", "WinrmEndpoint", "WinrmSettings"]
