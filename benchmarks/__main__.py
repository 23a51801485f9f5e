"""Runs benchmarks and prints their figures: ``python -m benchmarks [NAME…] [--format json]``.

Each runs in a process of its own: what one leaves in memory would slow the next down, and count as its memory.
Exits 0 whether or not a bound is met, as the table says which; 1 where a benchmark could not be carried out.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks import (
    agent_idle,
    approvals,
    check_ins,
    desired_load,
    plan,
    plan_growth,
    push_to_installed,
    resume_download,
    winrm_inventory,
)
from benchmarks.apart import end_on_signals, run_apart
from benchmarks.measure import Figure, progress
from benchmarks.tables import as_json, print_table
from reconciler.kernel.errors import ReconcilerError

BENCHMARKS = {
    "push_to_installed": push_to_installed.run,
    "check_ins": check_ins.run,
    "plan": plan.run,
    "plan_growth": plan_growth.run,
    "desired_load": desired_load.run,
    "approvals": approvals.run,
    "agent_idle": agent_idle.run,
    "resume_download": resume_download.run,
    "winrm_inventory": winrm_inventory.run,
}


def main() -> int:
    """Run what was asked for, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(BENCHMARKS)}; none for all")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}")
    end_on_signals()
    results: dict[str, tuple[Figure, ...]] = {}
    failed = False
    try:
        for name in dict.fromkeys(arguments.names or BENCHMARKS):
            progress(f"{name}: {sys.modules[BENCHMARKS[name].__module__].__doc__}".partition("\n")[0])
            try:
                results[name] = run_apart(BENCHMARKS[name])
            except ReconcilerError as error:
                progress(f"error: {name} could not be carried out: {error}")
                failed = True
    except KeyboardInterrupt:
        progress("ended; nothing is left running")
        return 130
    if arguments.format == "json":
        sys.stdout.write(as_json(results) + "\n")
    elif results:
        print_table(results)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
