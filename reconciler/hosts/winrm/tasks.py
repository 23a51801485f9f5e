"""Spells out the scheduled task by which a host carries out a run apart from WinRM, as SYSTEM. Pure: runs nothing.

Source: learn.microsoft.com/windows/win32/taskschd/task-scheduler-schema
"""

from __future__ import annotations

from xml.sax.saxutils import escape

TASK_FOLDER = "Reconciler Push"
"""The folder of the task scheduler in which the tasks of runs lie while they matter."""

_GRACE = 900


def task_name(run: str) -> str:
    """Return the name of the task of a run."""
    return rf"{TASK_FOLDER}\{run}"


def task_definition(script: str, seconds: float) -> bytes:
    """Return the definition of a task that runs a batch file when it is told to, and by no clock.

    What `schtasks /create` sets by itself would not do: such a task does not start on battery, and is ended when a
    laptop is unplugged in the midst of an install.

    Args:
        script: the full path of the batch file on the host.
        seconds: how long it may take. Some time after that Windows ends it, if this server is not there to do so.
    """
    arguments = escape(f'/d /c ""{script}""')
    settings = (
        ("MultipleInstancesPolicy", "IgnoreNew"),
        ("DisallowStartIfOnBatteries", "false"),
        ("StopIfGoingOnBatteries", "false"),
        ("AllowHardTerminate", "true"),
        ("ExecutionTimeLimit", f"PT{int(seconds) + _GRACE}S"),
        ("Priority", "5"),  # 7, the default, is below what programs have, and makes installs slow
    )
    told = "".join(f"<{name}>{value}</{name}>" for name, value in settings)
    return (
        '<?xml version="1.0"?>'
        '<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">'
        '<Principals><Principal id="Author"><UserId>S-1-5-18</UserId><RunLevel>HighestAvailable</RunLevel>'
        f"</Principal></Principals><Settings>{told}</Settings>"
        r'<Actions Context="Author"><Exec><Command>%SystemRoot%\System32\cmd.exe</Command>'
        f"<Arguments>{arguments}</Arguments></Exec></Actions></Task>\r\n"
    ).encode("ascii", "xmlcharrefreplace")
