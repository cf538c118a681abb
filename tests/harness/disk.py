"""Disks that fail or are slow under a running peer: disk_fault.c in front of libc."""
from .preload import compiled, preload

# On a disk that fails, errors are what the log is for; a test looks at the answers and the files.
TOLD = (r"No space left", r"Input/output error", r"Seen error", r"Cannot clear hard error", r"committing version edit",
        r"it is damaged")


class FaultyDisk:
    """Calls on the files of the peer's database do as told. Made before the peer starts."""

    def __init__(self, lab, peer, fault=None):
        """fault: what fail() does by default, as the head of disk_fault.c has it."""
        self.fault = fault
        self.control = lab.folder / f"{peer.name}-fault"
        preload(peer, compiled("disk_fault.c"))
        peer.env.update(DISK_FAULT_CONTROL=str(self.control), DISK_FAULT_FOLDER=str((peer.config_dir / "store").resolve()))

    def fail(self, fault=None):
        new = self.control.with_suffix(".new")
        new.write_text(fault or self.fault)
        new.rename(self.control)  # at once: the peer reads it at any moment

    def work(self):
        self.control.unlink(missing_ok=True)

    def remove(self):
        self.work()


def has_ended(peer, reason):
    """A peer may end when its disk fails, if the last thing that it says is why."""
    if peer.process.alive():
        return False
    line = peer.process.log_text().splitlines()[-1]
    assert peer.process.exit_code > 0 and reason in line and str(peer.config_dir / "store") in line, line
    return True
