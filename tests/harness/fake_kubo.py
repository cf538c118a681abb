"""A stand-in for Kubo (tests/tools/lab/fakekubo) that answers at once or misbehaves as told."""
from . import http, ports, tools
from .process import Process
from .wait import wait_until


class FakeKubo:
    """Modes: ok; hang (accepts, never answers); error (500 to everything); half (half a line, then closes);
    refusepins (500 to pin/add only)."""

    def __init__(self, folder, name="fakekubo"):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.name, self.process = folder, name, None
        self.api_port, self.control_port = ports.free_port(), ports.free_port()

    @property
    def multiaddr(self):
        return f"/ip4/127.0.0.1/tcp/{self.api_port}"

    def start(self, state=True):
        """state: remember the pins in a file, so that a restarted stand-in still holds them."""
        argv = [tools.tool_dir("lab") / "fakekubo", "-listen", f"127.0.0.1:{self.api_port}",
                "-control", f"127.0.0.1:{self.control_port}"]
        if state:
            argv += ["-state", self.folder / "pins"]
        self.process = Process(self.name, argv, self.folder / "log", tools.clean_env())
        wait_until(lambda: self.control("/stats").status == 200, 20, f"{self.name} answers")
        return self

    def control(self, target):
        return http.request(self.control_port, "POST", target, timeout=10)

    def mode(self, name):
        assert self.control(f"/mode?set={name}").status == 200
        return self

    def stats(self):
        """Number of calls by command, such as {"pin/add": 3}."""
        return self.control("/stats").json()

    def pins(self):
        return set(self.control("/pins").json())

    def forget(self, cid):
        """Loses a pin, as a Kubo whose repository was restored from an old copy."""
        assert self.control(f"/forget?cid={cid}").status == 200
