"""One process under test, its log, and how it is stopped."""
import os
import pathlib
import re
import signal
import subprocess
import time

# The reference prints "runtime error" too, when a handler of its panics: theirs has no column.
SANITIZER = re.compile(r"(ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|\.\w+:\d+:\d+: runtime error: |SUMMARY: \w+Sanitizer)")


class Process:
    """A program with its output in a file. Stopped by its process ID: SIGTERM first, then SIGKILL."""

    def __init__(self, name, argv, log, env=None, cwd=None):
        self.name = name
        self.log = pathlib.Path(log)
        self.stop_time = None
        self.log_start = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as out:
            # A session of its own: what it leaves behind can be found and ended by its group.
            self._child = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                           env=env, cwd=cwd, start_new_session=True)
        self.pid = self._child.pid

    def alive(self):
        return self._child.poll() is None

    @property
    def exit_code(self):
        """None while it runs; negative: ended by that signal."""
        return self._child.poll()

    def signal(self, number):
        if self.alive():
            self._child.send_signal(number)

    def kill(self):
        """SIGKILL, as a power cut for this process."""
        self.signal(signal.SIGKILL)
        self._child.wait(10)

    def stop(self, grace=20):
        """SIGTERM, then SIGKILL after `grace` seconds. Returns the exit code; stop_time holds the seconds."""
        begin = time.monotonic()
        self.signal(signal.SIGTERM)
        try:
            self._child.wait(grace)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self._child.wait(10)
        self.stop_time = time.monotonic() - begin
        return self._child.returncode

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def leftovers(self):
        """Whether a process of its session is still there after its end; such are killed."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def rss(self):
        """Resident memory in bytes: (all, anonymous)."""
        values = dict(re.findall(r"^(VmRSS|RssAnon):\s+(\d+) kB", pathlib.Path(f"/proc/{self.pid}/status").read_text(),
                                 re.M))
        return int(values["VmRSS"]) * 1024, int(values["RssAnon"]) * 1024

    def peak_rss(self):
        return int(re.search(r"^VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{self.pid}/status").read_text(), re.M)[1]) * 1024

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def sanitizer_reports(self):
        return [line for line in self.log_text().splitlines() if SANITIZER.search(line)]
