"""A temporary Slurm on this machine: munged, slurmctld and slurmd on loopback, without systemd.

Everything lives in one folder; daemons are ended by the process ids that they wrote there. One node
that may pretend to have more CPUs than the machine.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

#: Debian keeps daemons outside a user's path.
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "srun")
#: Has interpreters start quickly.
LIGHT = Path(__file__).parents[1] / "light"
#: Seconds in which a daemon must be up or gone.
PATIENCE = 30.0
#: Minimum seconds between two lists of jobs, and between two checks of a condition.
SHORT = 0.5
#: Columns of the list of jobs.
FORMAT = "%i|%T|%k|%m|%l|%V|%e|%b|%C|%Z"

SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmctldPort={ctld_port}
SlurmdPort={slurmd_port}
StateSaveLocation={folder}/ctld
SlurmdSpoolDir={folder}/slurmd
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2
MpiDefault=none
ReturnToService=2
EnforcePartLimits=ALL
SlurmdParameters=config_overrides
MinJobAge=3600
KillWait=2
OverTimeLimit=0
SlurmctldTimeout=60
SlurmdTimeout=60
Waittime=0
MailProg=/bin/true
NodeName={host} NodeAddr=127.0.0.1 Port={slurmd_port} CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=600 DefMemPerCPU=500 State=UP
"""


def why_not() -> str | None:
    """Return why no Slurm can be started here; None if one can."""
    missing = [name for name in PROGRAMS if not shutil.which(name, path=PATH)]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian: slurm-wlm and munge)"
    try:
        address = socket.gethostbyname(socket.gethostname().split(".")[0])
    except OSError:
        return "this machine's name has no address"
    return None if address.startswith("127.") else "this machine's name is not a loopback address"


class Cluster:
    """One Slurm. The path of `folder` must be short: sockets take about 100 characters."""

    def __init__(self, folder: Path, cpus: int = 4, memory: int = 16000):
        self.folder = folder
        self.host = socket.gethostname().split(".")[0]
        self.cpus = cpus
        self.memory = memory
        for name in ("munge", "ctld", "slurmd", "log", "bin"):
            (folder / name).mkdir(parents=True)
        folder.chmod(0o755)
        (folder / "munge").chmod(0o755)
        self._write()
        #: The jobs as they were last listed, and when that was.
        self.listed, self.asked, self.asking = "", -SHORT, threading.Lock()
        self.env = os.environ | {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{folder / 'bin'}:{PATH}",
            "PYTHONPATH": os.pathsep.join(filter(None, [str(LIGHT), os.environ.get("PYTHONPATH")])),
        }

    def _write(self) -> None:
        key = self.folder / "munge" / "key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(1024))
        ports = free_ports(2)
        text = SLURM_CONF.format(
            host=self.host, user=_user(), folder=self.folder, cpus=self.cpus,
            memory=self.memory, ctld_port=ports[0], slurmd_port=ports[1],
        )  # fmt: skip
        (self.folder / "slurm.conf").write_text(text)
        # The executor's job step takes SLURM_CONF out of the environment of its srun; this one puts
        # it back, so that nothing in /etc is needed.
        srun = self.folder / "bin" / "srun"
        real = shutil.which("srun", path=PATH)
        conf = self.folder / "slurm.conf"
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={conf}; export SLURM_CONF\nexec {real} "$@"\n')
        srun.chmod(0o755)

    # -- Daemons ------------------------------------------------------------------------------

    def start(self) -> None:
        """Start everything; wait until the node takes jobs."""
        munge = self.folder / "munge"
        self._call(
            "munged", "--force", f"--key-file={munge}/key", f"--socket={munge}/socket",
            f"--pid-file={munge}/pid", f"--seed-file={munge}/seed", f"--log-file={munge}/log",
        )  # fmt: skip
        self._call("slurmctld", "-i")
        self._call("slurmd")
        self.wait(lambda: "idle" in self.ask("sinfo", "-h", "-o", "%T"), "the node to be idle")

    def stop(self) -> None:
        """End all jobs, then the daemons, by their process ids."""
        self.ask("scancel", "--user", _user())
        self.sweep()
        for name in ("slurmd.pid", "slurmctld.pid", "munge/pid"):
            self._end(self.folder / name)

    def sweep(self) -> None:
        """End what canceled jobs have left.

        `proctrack/linuxproc` follows parents: a process whose parent was killed first is lost to
        it. A real cluster has cgroups.
        """
        until = time.monotonic() + PATIENCE / 2
        while (left := self._of_jobs()) and time.monotonic() < until:
            time.sleep(0.5)
        for process in left:
            with suppress(psutil.Error):
                process.kill()

    def _of_jobs(self) -> list[psutil.Process]:
        """Return the processes of jobs of this cluster, by their environment."""
        found, conf = [], str(self.folder / "slurm.conf")
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                env = process.environ()
                alive = process.status() != psutil.STATUS_ZOMBIE
                if alive and "SLURM_JOB_ID" in env and env.get("SLURM_CONF") == conf:
                    found.append(process)
        return found

    def restart_controller(self) -> None:
        """End the controller and start it again, as an administrator would."""
        self._end(self.folder / "slurmctld.pid")
        time.sleep(1)
        self._call("slurmctld")
        self.wait(lambda: "UP" in self.ask("scontrol", "ping"), "the controller to answer")

    def _end(self, pid_file: Path) -> None:
        try:
            pid = int(pid_file.read_text())
        except (OSError, ValueError):
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            until = time.monotonic() + PATIENCE / 2
            while time.monotonic() < until:
                try:
                    os.kill(pid, number if number == signal.SIGTERM else signal.SIGKILL)
                except ProcessLookupError:
                    return
                if _is_zombie(pid):
                    return
                time.sleep(0.2)

    # -- Asking -------------------------------------------------------------------------------

    def _call(self, *command: str) -> str:
        done = subprocess.run(
            [str(shutil.which(command[0], path=self.env["PATH"])), *command[1:]],
            env=self.env, capture_output=True, text=True, timeout=60, cwd=self.folder,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stderr}{self.logs()}"
        return done.stdout

    def ask(self, *command: str) -> str:
        """Return the output of a Slurm command, even if it fails."""
        done = subprocess.run(
            command, env=self.env, capture_output=True, text=True, timeout=60, check=False
        )
        return done.stdout

    def queue(self, home: Path | None = None) -> list[dict[str, str]]:
        """Return all jobs that the controller remembers; those submitted in `home`, if given."""
        names = ("id", "state", "comment", "memory", "limit")
        names += ("submitted", "ended", "gpus", "cpus", "home")
        with self.asking:
            if time.monotonic() > self.asked + SHORT:
                self.listed = self.ask("squeue", "--states=all", "-h", f"--format={FORMAT}")
                self.asked = time.monotonic()
            text = self.listed
        jobs = [dict(zip(names, line.split("|"), strict=False)) for line in text.splitlines()]
        return [job for job in jobs if home is None or job["home"] == str(home)]

    def logs(self) -> str:
        paths = sorted((self.folder / "log").iterdir())
        return "\n".join(f"== {path.name}\n{path.read_text()[-2000:]}" for path in paths)

    def wait(self, condition: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
        """Wait until something is so; fail the test, with the daemons' logs, if it never is."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if condition():
                return
            time.sleep(SHORT)
        raise AssertionError(f"waited {patience:g} s for {what}\n{self.logs()}")


def free_ports(number: int) -> list[int]:
    """Return unused ports of loopback."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
