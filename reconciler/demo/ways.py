"""Chooses how the demonstration is played: on lab hosts, or on simulated ones where there can be no lab."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.demo.artifacts import BuiltByWixl, ExampleArtifacts, SimulatedInstallers
from reconciler.demo.hosts import DemoHosts, LabHosts, SimulatedHosts
from reconciler.lab import LabUnavailable, require


@dataclass(frozen=True, slots=True)
class Way:
    """How the demonstration is played. ``first_line`` says so."""

    first_line: str
    hosts: DemoHosts
    artifacts: ExampleArtifacts


def choose(*, simulated: bool) -> Way:
    """Choose lab hosts where this machine has what they need, unless simulated ones are asked for."""
    why = "as asked"
    if not simulated:
        try:
            require()
        except LabUnavailable as error:
            why = f"since lab hosts cannot be had here ({error.what}; {error.hint})"
        else:
            first_line = "Reconciler's demo on lab hosts: real MSIs, real agents, Windows Installer under Wine"
            return Way(first_line, LabHosts(), BuiltByWixl())
    first_line = f"Reconciler's demo on SIMULATED hosts, {why}: nothing is really installed"
    return Way(first_line, SimulatedHosts(), SimulatedInstallers())
