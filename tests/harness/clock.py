"""A wall clock that jumps under a running peer: libfaketime (Debian's package faketime) in front of libc."""
import email.utils
import pathlib
import time

from .preload import compiled, preload
from .wait import wait_until

# Threads call it: the other library of the package does without locks.
LIBRARY = "faketime/libfaketimeMT.so.1"
FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib", "/usr/local/lib")
# How far the clock that is shown may be from the one that was set: answers carry whole seconds.
NEAR = 5


def library():
    """The library's path, or None."""
    return next((path for folder in FOLDERS if (path := pathlib.Path(folder) / LIBRARY).exists()), None)


class JumpingClock:
    """The wall clock of one peer; the monotonic one is left alone, as at a real jump. Made before the peer starts."""

    def __init__(self, lab, peer):
        self.peer, self.control = peer, lab.folder / f"{peer.name}-clock"
        preload(peer, compiled("real_timers.c"), library())
        # Files keep their real times, which the peer compares with each other only.
        peer.env.update(FAKETIME_TIMESTAMP_FILE=str(self.control), FAKETIME_DONT_FAKE_MONOTONIC="1", FAKETIME_CACHE_DURATION="1",
                        NO_FAKE_STAT="1")
        self._write(0)

    def _write(self, seconds):
        self.offset = seconds
        new = self.control.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.rename(self.control)  # at once: the peer reads it at any moment

    def jump(self, seconds):
        """From now on so far ahead of the right time, or behind it; also for a peer that starts later."""
        self._write(seconds)

    def shown(self):
        """How far the peer's answers are ahead of the right time."""
        told = email.utils.parsedate_to_datetime(self.peer.call("GET", "/version", timeout=20).header("Date"))
        return told.timestamp() - time.time()

    def wait_shown(self):
        wait_until(lambda: abs(self.shown() - self.offset) < NEAR, 20, f"the clock of {self.peer.name} shows {self.offset:+d} s",
                   0.2)

    def clean(self, pid):
        """A process that was killed leaves libfaketime's shared memory behind, which would stop a later one of its ID."""
        for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
            pathlib.Path("/dev/shm", name).unlink(missing_ok=True)
