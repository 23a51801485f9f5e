"""The agent's Windows side: msi.dll, the registry and processes, behind the port in `reconciler.agent.machine`."""
