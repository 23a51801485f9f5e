"""The machine port by commands over WinRM: one to look, and a scheduled task for each run.

Decides nothing about packages. That a host cannot be reached is told by `HostAway`, which leaves an attempt open
in the journal: what became of it is found out once the host is there again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from reconciler.agent.machine import Look, MachineError, Run, Running
from reconciler.hosts.winrm.commands import Commands, HostAway
from reconciler.hosts.winrm.connection import LONGEST_COMMAND
from reconciler.hosts.winrm.inventory import MACHINE, Scope, inventory_command, read_inventory
from reconciler.hosts.winrm.questions import Questions
from reconciler.hosts.winrm.reg_query import InventoryIncomplete
from reconciler.hosts.winrm.remote_run import STOPPED, RemoteRun
from reconciler.hosts.winrm.scripts import CLAIM, LOG, SCRIPT, script_of
from reconciler.hosts.winrm.tasks import TASK_FOLDER, task_definition, task_name
from reconciler.hosts.winrm.uploads import packed, upload_commands
from reconciler.kernel.observation import InstalledPatch, InstalledProduct
from reconciler.kernel.probes import LONGEST_PROBE, Answer, Probe, ProbeKind

_TASK = "task.xml"
_CLAIMED = "===claimed"
_LOOKS = 3
_ROOM = 1500
"""Characters kept free for accounts that are asked for later."""

_MOST_ACCOUNTS = 5
"""Accounts with products of their own that are asked for: each takes its room in the command line."""

_TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class _Told:
    """What a host has told in one of its shells and is not asked again: each question takes it its time.

    ``products`` holds, by what is always asked of a product, what else it told of it: name and upgrade code belong
    to one version of one package, and no patch that came or went since can have changed them.
    """

    shell: int = -1
    booted_at: int = 0
    products: Mapping[InstalledProduct, InstalledProduct] = field(default_factory=dict)
    patches: tuple[InstalledPatch, ...] = ()

    def naming(self, look: Look) -> _Told:
        """Return this with the names of a look at which they were asked for."""
        products = {_unnamed(product): product for product in look.products}
        return replace(self, products=products, patches=look.patches)

    def complete(self, look: Look) -> Look | None:
        """Return a look with what was told before; ``None`` where there is something that no name is known of."""
        products = [self.products.get(_unnamed(product)) for product in look.products]
        named = tuple(product for product in products if product is not None)
        if len(named) < len(products) or look.patches != self.patches:
            return None
        return replace(look, products=named, booted_at=self.booted_at)


def _unnamed(product: InstalledProduct) -> InstalledProduct:
    return replace(product, name="", upgrade_code=None)


class WinRMMachine:
    """One host. Implements `reconciler.agent.machine.Machine`; for one thread at a time.

    Args:
        commands: the host's commands.
    """

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._scope = Scope(patches=False)
        self._told = _Told()

    def look(self, probes: Sequence[Probe] = ()) -> Look:
        """Look at the host: by one command, and one more for each probe that is a command itself.

        Raises:
            HostAway: it cannot be reached.
            MachineError: it did not give a whole answer.
        """
        questions = Questions(probes)
        asked = questions.commands()
        together = len(inventory_command(self._scope)) + len(" & ".join(asked)) < LONGEST_COMMAND - _ROOM
        look, text = self._inventory(asked if together else ())
        answers = questions.answers(text if together else self._ask_apart(asked))
        found = {answer.probe: answer for answer in answers}
        for probe in probes:
            if probe.kind is ProbeKind.COMMAND:
                found[probe.key] = Answer(probe.key, self._exit_code(probe))
        return replace(look, answers=tuple(found[probe.key] for probe in probes if probe.key in found))

    def start(self, run: Run) -> Running:
        """Start a run: put its batch file there, and have the task scheduler run it as SYSTEM.

        Raises:
            HostAway: the host cannot be reached; whether the run has begun is found out by `find`.
            MachineError: the host does not take the task.
        """
        folder = self._folder(run.name)
        name, script, definition = task_name(run.name), rf"{folder}\{SCRIPT}", rf"{folder}\{_TASK}"
        # Twice does no harm: the batch file claims the run, and does nothing where it has been claimed.
        started = self._commands.run_all(
            (
                *upload_commands(script, script_of(run.call, rf"{folder}\{LOG}").encode()),
                *upload_commands(definition, task_definition(script, run.call.seconds)),
                f'schtasks /create /tn "{name}" /xml "{definition}" /ru SYSTEM /f',
                f'schtasks /run /tn "{name}"',
            )
        )
        if started.exit_code != 0:
            told = " ".join((started.errors or started.output).split())[:300]
            raise MachineError(
                f"its task scheduler does not take the run: {told}",
                where=self._commands.host,
                hint="is the service Schedule running there, and may this account make tasks?",
            )
        return RemoteRun(self._commands, run.name, folder)

    def find(self, name: str) -> Running | None:
        """Return a run that was begun; ``None`` where it never began, and then it never will.

        Raises:
            HostAway: the host cannot be reached.
        """
        folder = self._folder(name)
        claim = rf"{folder}\{CLAIM}"
        self._commands.run(f'if not exist "{folder}" mkdir "{folder}"', repeatable=True)
        told = self._commands.run(f'mkdir "{claim}" 2>nul & if errorlevel 1 echo {_CLAIMED}')
        if _CLAIMED not in told.output:
            self._commands.run(f'mkdir "{claim}\\{STOPPED}"', repeatable=True)
            return None
        if self._commands.run(f'if exist "{claim}\\{STOPPED}" echo {STOPPED}', repeatable=True).output.strip():
            return None
        return RemoteRun(self._commands, name, folder)

    def forget(self, attempt: str) -> None:
        """Delete the folders and tasks of an attempt's runs, or of all where ``attempt`` is empty.

        A host that cannot be reached keeps them until it is asked again.
        """
        pattern = f"{attempt}-*" if attempt else "*"
        try:
            runs = rf"{self._commands.root()}\runs"
            each = f'for /f "delims=" %D in (\'dir /b /ad "{runs}\\{pattern}"\') do @'
            task = rf'schtasks /delete /tn "{TASK_FOLDER}\%D" /f >nul 2>nul'
            self._commands.run(f'({each}{task}) & ({each}rmdir /s /q "{runs}\\%D")', repeatable=True)
        except HostAway:
            return

    def _inventory(self, asked: Sequence[str]) -> tuple[Look, str]:
        """Look; again where the answer is not whole, or tells of what was not asked for.

        A reboot ends every shell, so in each new one everything is asked for.
        """
        problem = MachineError("it could not be looked at", where=self._commands.host)
        for _ in range(_LOOKS):
            known = self._told.shell == self._commands.shells
            scope = self._scope if known else replace(self._scope, names=True, boot=True)
            text = self._commands.run(" & ".join([inventory_command(scope), *asked]), repeatable=True).output
            try:
                found = read_inventory(text, self._commands.host, scope)
            except InventoryIncomplete as error:
                problem = MachineError(error.what, where=error.where, hint=error.hint)
                continue
            accounts = frozenset({MACHINE, *sorted(found.accounts)[:_MOST_ACCOUNTS]})
            self._scope = Scope(accounts, names=True, patches=bool(found.look.patches), boot=False)
            if not (accounts <= scope.accounts and scope.patches >= self._scope.patches):
                continue
            if scope.boot:
                self._told = _Told(self._commands.shells, found.look.booted_at)
            if scope.names:
                self._told = self._told.naming(found.look)
            look = self._told.complete(found.look)
            if look is not None and self._told.shell == self._commands.shells:
                self._scope = replace(self._scope, names=False)
                return look, text
        raise problem

    def _ask_apart(self, asked: Sequence[str]) -> str:
        """Ask in as few commands as the questions fit into."""
        return "\n".join(self._commands.run(command, repeatable=True).output for command in packed(asked))

    def _exit_code(self, probe: Probe) -> str:
        code = self._commands.exit_code(probe.subject, min(probe.seconds, LONGEST_PROBE))
        return str(code) if code is not None else _TIMEOUT

    def _folder(self, run: str) -> str:
        return rf"{self._commands.root()}\runs\{run}"
