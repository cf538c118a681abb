"""One page of a Chromium that runs with --remote-debugging-port, over a WebSocket of our own."""
import base64
import json
import os
import socket
import struct
import urllib.parse
import urllib.request

from .wait import wait_until


class Page:
    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=30)
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall((f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
                              f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        self._file = self._socket.makefile("rb")
        if b"101" not in self._file.readline():
            raise ConnectionError("no WebSocket")
        while self._file.readline().strip():
            pass
        self._number = 0

    @classmethod
    def attach(cls, port):
        """The first page of the browser; None while there is none."""
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=5) as answer:
            pages = [t for t in json.load(answer) if t["type"] == "page" and t["url"].startswith("http")]
        return cls(pages[0]["webSocketDebuggerUrl"]) if pages else None

    def _send(self, text):
        data, mask = text.encode(), os.urandom(4)
        size = len(data)
        head = b"\x81" + (bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size))
        self._socket.sendall(head + mask + bytes(c ^ mask[n % 4] for n, c in enumerate(data)))

    def _receive(self):
        _, second = self._file.read(2)
        size = second & 0x7f
        if size == 126:
            size = struct.unpack(">H", self._file.read(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self._file.read(8))[0]
        return json.loads(self._file.read(size))

    def run(self, expression):
        """The value of a JavaScript expression in the page."""
        self._number += 1
        self._send(json.dumps({"id": self._number, "method": "Runtime.evaluate",
                               "params": {"expression": expression, "returnByValue": True}}))
        while (answer := self._receive()).get("id") != self._number:
            pass
        result = answer["result"]
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, condition, deadline=20):
        wait_until(lambda: self.run(f"Boolean({condition})"), deadline, condition, 0.1)
