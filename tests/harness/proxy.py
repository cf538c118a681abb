"""A TCP proxy on loopback whose connections can be cut."""
import socket
import threading


class Proxy:
    """Passes connections on to a port of this machine."""

    def __init__(self, port):
        self.port, self.open, self.lock = port, [], threading.Lock()
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
                far = socket.create_connection(("127.0.0.1", self.port), timeout=5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self.lock:
                self.open += [near, far]
            for source, target, most in zip((near, far), (far, near), self.limits()):
                threading.Thread(target=self.pump, args=(source, target, most), daemon=True).start()

    @staticmethod
    def pump(source, target, most):
        try:
            while most is None or most > 0:
                data = source.recv(65536 if most is None else most)
                if not data:
                    break
                target.sendall(data)
                most = most if most is None else most - len(data)
        except OSError:
            pass
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        """Ends all connections, and says how many it has passed on since the last time."""
        with self.lock:
            cut, self.open = self.open, []
        for one in cut:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()
        return len(cut) // 2

    def close(self):
        self.server.close()
        self.cut()
