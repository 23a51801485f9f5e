"""What server and agent share: the model, convergence, Windows Installer knowledge, the wire protocol, errors.

Standard library only, and nothing of the rest of Reconciler: this folder runs on the managed hosts as well.
"""
