"""A control group with a limit of memory and processor time, as a container has. Needs root."""
import os
import pathlib

ROOT = pathlib.Path("/sys/fs/cgroup")
CPU_PERIOD = 100_000  # microseconds, as the kubelet sets it


class Limits:
    """memory: bytes; cpu: cores. Works on both versions of control groups."""

    def __init__(self, name, memory, cpu):
        quota = int(cpu * CPU_PERIOD)
        self.unified = (ROOT / "cgroup.controllers").exists()
        if self.unified:
            (ROOT / "cgroup.subtree_control").write_text("+memory +cpu")
            self.folders = [ROOT / name]
            settings = [("memory.max", memory), ("cpu.max", f"{quota} {CPU_PERIOD}")]
        else:
            self.folders = [ROOT / "memory" / name, ROOT / "cpu" / name]
            settings = [("memory.limit_in_bytes", memory), ("cpu.cfs_period_us", CPU_PERIOD), ("cpu.cfs_quota_us", quota)]
        for folder in self.folders:
            folder.mkdir()
        for file, value in settings:
            folder = next(f for f in self.folders if (f / file).exists())
            (folder / file).write_text(str(value))

    def command(self, argv):
        """Runs `argv` within the limits: the shell joins the group and becomes the program."""
        joins = "; ".join(f"echo $$ >{folder}/cgroup.procs" for folder in self.folders)
        return ["sh", "-c", f'{joins}; exec "$@"', "sh", *argv]

    def kills(self):
        """How many processes the memory limit has cost."""
        name = "memory.events" if self.unified else "memory.oom_control"
        lines = (self.folders[0] / name).read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.split()[0] == "oom_kill")

    def throttled(self):
        """The share of periods in which the processor limit was hit."""
        values = dict(line.split() for line in (self.folders[-1] / "cpu.stat").read_text().splitlines())
        return int(values["nr_throttled"]) / max(1, int(values["nr_periods"]))

    def close(self):
        for folder in self.folders:
            folder.rmdir()


def available():
    """Whether this machine lets us make such groups."""
    if os.geteuid() != 0:
        return False
    try:
        Limits(f"ica-probe-{os.getpid()}", 64 << 20, 0.5).close()
    except (OSError, StopIteration):
        return False
    return True
