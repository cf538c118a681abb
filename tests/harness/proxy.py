"""A TCP proxy on loopback whose connections can be cut, and a network of them."""
import socket
import threading


class Proxy:
    """Passes connections on to a port of this machine."""

    def __init__(self, port):
        self.port, self.open, self.lock = port, set(), threading.Lock()
        self.refusing = False  # new connections are closed at once
        self.passing = threading.Event()  # cleared: nothing arrives, and nobody is told
        self.passing.set()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.own = self.server.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def limits(self):
        """After how many bytes of the dialler and of the other side the next connection is cut; None: it is not."""
        return None, None

    def serve(self):
        while True:
            try:
                near, _ = self.server.accept()
            except OSError:
                return
            try:
                far = None if self.refusing else socket.create_connection(("127.0.0.1", self.port), timeout=5)
            except OSError:
                far = None
            with self.lock:
                if taken := far is not None and not self.refusing:
                    far.settimeout(None)
                    self.open.add((near, far))
            if taken:
                threading.Thread(target=self.carry, args=(near, far, self.limits()), daemon=True).start()
            else:
                for one in (near, far):
                    if one:
                        one.close()

    def carry(self, near, far, limits):
        back = threading.Thread(target=self.pump, args=(far, near, limits[1]), daemon=True)
        back.start()
        self.pump(near, far, limits[0])
        back.join()
        with self.lock:
            self.open.discard((near, far))
        near.close()
        far.close()

    def pump(self, source, target, most):
        try:
            while most is None or most > 0:
                data = source.recv(65536 if most is None else most)
                if not data:
                    break
                self.passing.wait()
                target.sendall(data)
                most = most if most is None else most - len(data)
        except OSError:
            pass
        shut(source, target)

    def cut(self):
        """Ends all connections, and says how many there were."""
        with self.lock:
            cut = list(self.open)
        for pair in cut:
            shut(*pair)
        return len(cut)

    def refuse(self, refusing=True):
        """Whether new connections are refused; those that are open stay."""
        with self.lock:
            self.refusing = refusing

    def close(self):
        self.server.close()
        self.passing.set()
        self.cut()


def shut(*sockets):
    for one in sockets:
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Mesh:
    """The links between peers that are to start: a proxy for each pair and direction, and no other way.

    Each peer knows the others by the proxies, and tells nobody where it listens.
    """

    def __init__(self, peers):
        self.links = {(a, b): Proxy(b.swarm_port) for a in peers for b in peers if a is not b}
        for peer in peers:
            others = [f"/ip4/127.0.0.1/tcp/{link.own}/p2p/{b.id}" for (a, b), link in self.links.items() if a is peer]
            peer.configure({"cluster": {
                "peer_addresses": others,
                "no_announce_multiaddress": [f"/ip4/127.0.0.1/tcp/{peer.swarm_port}"]}})

    def between(self, *islands):
        """The links from one island to another."""
        island = {peer: number for number, peers in enumerate(islands) for peer in peers}
        return [link for (a, b), link in self.links.items() if island[a] != island[b]]

    def part(self, *islands):
        """Connections between the islands are cut and refused. Returns how many were cut."""
        for link in (links := self.between(*islands)):
            link.refuse()
        return sum(link.cut() for link in links)

    def mute(self, *islands):
        """Connections between the islands stay, and nothing arrives on them; as when packets are dropped."""
        for link in self.between(*islands):
            link.passing.clear()

    def heal(self):
        for link in self.links.values():
            link.refuse(False)
            link.passing.set()

    def close(self):
        for link in self.links.values():
            link.close()
