"""The agent: makes one Windows machine match its assignment. Standard library and the kernel only.

It starts at `reconciler.agent.__main__`; `loop` looks, decides through the kernel and reports, `stepper` carries a
step out, `recovery` picks up what a crash left, and `machine` is the port behind which Windows lies. `placing` is
what its installer asks of it, and `windows.self_upgrade` how it replaces itself.
"""
