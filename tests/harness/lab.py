"""What one test runs: starts processes, and at the end stops and judges them."""
import json

from .fake_kubo import FakeKubo
from .kubo import Kubo
from .peer import FLAVOURS


class Lab:
    def __init__(self, folder):
        self.folder = folder
        self.parts = []

    def _place(self, name):
        return self.folder / f"{len(self.parts)}-{name}"

    def kubo(self, start=True):
        kubo = Kubo(self._place("kubo"))
        self.parts.append(kubo)
        return kubo.start() if start else kubo

    def fake_kubo(self, start=True):
        kubo = FakeKubo(self._place("fakekubo"))
        self.parts.append(kubo)
        return kubo.start() if start else kubo

    def peer(self, kubo, flavour="ours", name="peer0", settings=None, start=True, env=None, base=None):
        peer = FLAVOURS[flavour](self._place(name), kubo, name, settings, env, base)
        self.parts.append(peer)
        return peer.start() if start else peer

    def cluster(self, count, flavour="ours", settings=None, name="peer", kubos=None):
        """`count` peers, each beside a Kubo of its own, that know each other's addresses; started and settled.

        flavour: one for all, or a list. settings: for all, or a function of the flavour.
        """
        flavours = [flavour] * count if isinstance(flavour, str) else flavour
        kubos = kubos or [self.kubo() for _ in range(count)]
        settings_of = settings if callable(settings) else lambda _: settings
        peers = [self.peer(kubos[n], flavours[n], f"{name}{n}", settings_of(flavours[n]), start=False) for n in range(count)]
        for peer in peers:
            peer.configure({"cluster": {"peer_addresses": [p.swarm_multiaddr for p in peers if p is not peer]}})
        for peer in peers:
            peer.start()
        for peer in peers:
            peer.wait_candidates(count)
        return peers

    def close(self):
        """Stops everything, newest first, and returns what was wrong."""
        problems = []
        for part in reversed(self.parts):
            process = part.process
            if process is None:
                continue
            process.resume()
            unasked = not process.alive() and process.exit_code not in (0, -9, -15)
            if unasked:
                problems.append(f"{part.name} ended by itself with {process.exit_code}")
            elif process.alive():
                code = process.stop()
                if code not in (0, -15):
                    problems.append(f"{part.name} ended with {code} after SIGTERM")
            if process.leftovers():
                problems.append(f"{part.name} left processes behind")
            problems += [f"{part.name}: {line}" for line in process.sanitizer_reports()[:5]]
            if hasattr(part, "unexpected_errors"):
                problems += [f"{part.name}: unexpected: {line}" for line in part.unexpected_errors()[:5]]
        return problems

    def logs(self, lines=40):
        """The ends of all logs, for a failed test."""
        text = []
        for part in self.parts:
            if part.process:
                tail = part.process.log_text().splitlines()[-lines:]
                text.append("\n".join([f"--- {part.name}: {part.process.log}"] + tail))
        return "\n".join(text)


def pretty(value):
    return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True)
