"""Builds Windows Installer packages on this machine: the agent's own, and with it the lab's examples."""
