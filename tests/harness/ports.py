"""Free loopback ports. A port is handed out once in a run, so that two processes never race for one."""
import random
import socket

_given = set()


def free_port():
    # Below the range that the kernel hands out to outgoing connections, which could take the port between
    # this check and the start of the program.
    for _ in range(2000):
        port = random.randint(20000, 32000)
        if port in _given:
            continue
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise RuntimeError("no free port between 20000 and 32000")
