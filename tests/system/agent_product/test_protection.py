"""What the agent asks of Windows for its safety, where Wine does not keep it: the calls themselves, by injection.

Each script runs on the Windows Python of a lab host with the function of Windows replaced that Wine lacks.
"""

from __future__ import annotations

import json
import textwrap

import pytest

from reconciler.lab.template import PYTHON

FOLDER = r"C:\ProgramData\Protected"


@pytest.fixture
def run(lab_host):
    """Run a script on a lab host that has the agent's code; return what it printed, as JSON."""
    host = lab_host("protect-01")
    host.install_agent({})

    def run_script(script):
        host.unix_path(r"C:\script.py").write_text(textwrap.dedent(script))
        done = host.run([PYTHON, r"C:\script.py"])
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout)

    return run_script


def test_the_data_folder_is_made_for_system_and_administrators_only(run):
    seen = run(
        r"""
        import ctypes, json
        from pathlib import Path
        from reconciler.agent.windows import data_folder as d
        folder, seen = Path(r"C:\ProgramData\Protected"), {}
        text = ctypes.c_wchar_p()
        def told(descriptor):
            d._api.ConvertSecurityDescriptorToStringSecurityDescriptorW(
                descriptor, 1, 0x1 | 0x4, ctypes.byref(text), None)
            return text.value
        create = d._kernel.CreateDirectoryW
        class Kernel:
            def __getattr__(self, name): return getattr(kernel, name)
            def CreateDirectoryW(self, path, attributes):
                seen["created"] = told(ctypes.c_void_p(attributes._obj.descriptor))
                return create(path, attributes)
        kernel, d._kernel = d._kernel, Kernel()
        class Api:
            def __getattr__(self, name): return getattr(api, name)
            def SetFileSecurityW(self, path, parts, descriptor):
                seen["kept"], seen["parts"] = told(descriptor), parts
                return 1
        api, d._api = d._api, Api()
        d.protect_folder(folder)
        d.protect_folder(folder)
        print(json.dumps(seen))
        """
    )
    for descriptor in (seen["created"], seen["kept"]):
        assert descriptor.startswith("O:BA")
        assert sorted(part.strip(")") for part in descriptor.split("(")[1:]) == [
            "A;OICI;FA;;;BA",
            "A;OICI;FA;;;SY",
        ]
    owner, access, protected = 0x1, 0x4, 0x8000_0000
    assert seen["parts"] == owner | access | protected


@pytest.mark.parametrize(
    ("planted", "why"),
    [
        ('d._owner = lambda path: "S-1-5-21-1-2-3-1001" if path == folder else "S-1-5-18"', "S-1-5-21-1-2-3-1001"),
        (
            "kernel = d._kernel; d._kernel = type('K', (), {'__getattr__': lambda s, n: getattr(kernel, n),"
            " 'GetFileAttributesW': lambda s, path: 0x410})()",
            "leads elsewhere",
        ),
    ],
)
def test_a_folder_that_somebody_has_planted_is_set_aside(run, planted, why):
    seen = run(
        rf"""
        import json, logging
        from pathlib import Path
        from reconciler.agent.windows import data_folder as d
        folder = Path(r"{FOLDER}")
        folder.mkdir()
        (folder / "agent.json").write_text("planted")
        told = []
        class Told(logging.Handler):
            def emit(self, record): told.append(record.getMessage())
        logging.getLogger("reconciler.agent").addHandler(Told())
        {planted}
        d.protect_folder(folder)
        aside = [e for e in folder.parent.iterdir() if e.name.endswith(".untrusted")]
        planted = [(entry / "agent.json").read_text() for entry in aside]
        print(json.dumps([sorted(entry.name for entry in folder.iterdir()), planted, told]))
        """
    )
    left, aside, told = seen
    assert left == []
    assert aside == ["planted"]
    assert why in told[0]


def test_the_service_asks_to_be_started_again_after_a_crash(run):
    seen = run(
        r"""
        import ctypes, json
        from reconciler.agent.windows import service_manager as m
        seen = []
        class Api:
            def OpenSCManagerW(self, *words): return 1
            def OpenServiceW(self, manager, name, access): seen.append([name, access]); return 2
            def CloseServiceHandle(self, handle): seen.append(handle)
            def ChangeServiceConfig2W(self, handle, level, given):
                if level == 2:
                    plan = given._obj
                    actions = [plan.actions[i] for i in range(plan.count)]
                    seen.append([level, plan.reset, [[action.kind, action.delay] for action in actions]])
                else:
                    seen.append([level, given._obj.value])
                return 1
        m._api = Api()
        m.restart_after_a_crash("ReconcilerAgent")
        print(json.dumps(seen))
        """
    )
    restart = 1
    assert seen == [
        ["ReconcilerAgent", 0x0002 | 0x0010],
        [2, 86_400, [[restart, 5_000], [restart, 60_000], [restart, 300_000]]],
        [4, 1],
        2,
        1,
    ]


def test_what_a_failed_install_calls_takes_the_token_away(lab_host):
    """Windows Installer calls it before the files go; Wine calls it after, so it is called by hand here."""
    host = lab_host("protect-02")
    host.install_agent({"server": "https://far.example.com", "host": "PROTECT-02", "token": "secret"})
    for _ in range(2):
        assert host.run([PYTHON, "-m", "reconciler.agent", "forget-token"]).exit_code == 0
        assert json.loads(host.read(r"C:\ProgramData\Reconciler Agent\agent.json")) == {
            "server": "https://far.example.com",
            "host": "PROTECT-02",
        }


def test_an_agent_that_is_run_by_hand_closes_its_folder_first(run):
    seen = run(
        r"""
        import json
        from pathlib import Path
        from reconciler.agent.__main__ import main
        from reconciler.agent.windows import data_folder as d
        folder, asked = Path(r"C:\ProgramData\By Hand"), []
        def refuse(path):
            asked.append(str(path))
            raise d.UnprotectedFolder("the folder cannot be protected")
        d.protect_folder = refuse
        code = main(["run", "--data", str(folder)])
        print(json.dumps({"asked": asked, "code": code, "made": folder.exists()}))
        """
    )
    assert seen == {"asked": [r"C:\ProgramData\By Hand"], "code": 2, "made": False}
