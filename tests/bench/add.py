"""Uploads: one file through POST /add of ours and of the reference, and straight into Kubo. See scripts/bench."""
import argparse
import os
import socket
import time

from harness import http
from report import laboratory, print_now, report

BOUNDARY = "ica-bench-boundary"
HEAD = (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="f.bin"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n").encode()
TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()


def upload(port, target, path, size):
    """Seconds from the first byte to the whole answer, and the last document."""
    length = len(HEAD) + size + len(TAIL)
    with socket.create_connection(("127.0.0.1", port), timeout=600) as s, open(path, "rb") as file:
        begin = time.monotonic()
        s.sendall((f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
                   f"Content-Length: {length}\r\n\r\n").encode() + HEAD)
        s.sendfile(file)
        s.sendall(TAIL)
        with s.makefile("rb") as answers:
            answer = http.read_answer(answers, "POST")
    took = time.monotonic() - begin
    if answer.status != 200 or not answer.complete or any(v for _, v in answer.trailers):
        raise SystemExit(f"{target}: {answer.status} {answer.trailers} {answer.body[-300:]}")
    return took, answer.documents()[-1]


class Contender:
    """A party with a Kubo of its own."""

    def __init__(self, lab, flavour):
        self.kubo = lab.kubo()
        self.peer = None
        self.times = []
        if flavour == "kubo":
            self.port, self.key = self.kubo.api_port, "Hash"
            self.target = "/api/v0/add?pin=true&quieter=true&progress=false"
        else:
            self.peer = lab.peer(self.kubo, flavour, flavour)
            self.peer.wait_candidates()
            self.port, self.key = self.peer.rest_port, "cid"
            self.target = "/add?stream-channels=true&progress=false"

    def round(self, path, size):
        took, last = upload(self.port, self.target, path, size)
        self.times.append(took)
        if self.peer:
            self.peer.wait_status(last[self.key], "pinned", 60)

    def rows(self, size):
        rates = sorted(size / (1 << 20) / t for t in self.times)
        rows = {"best, MiB/s": rates[-1], "median, MiB/s": rates[len(rates) // 2]}
        if self.peer:
            rows["peak RSS of the peer, MB"] = self.peer.process.peak_rss() / 1e6
            rows["CPU of the peer, s a GiB"] = self.peer.process.cpu_seconds() / len(rates) / size * (1 << 30)
        return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("ours", "go", "kubo"))
    options = parser.parse_args()
    size = options.mib << 20
    with laboratory() as lab:
        contenders = {f: Contender(lab, f) for f in ([options.only] if options.only else ["ours", "go", "kubo"])}
        # In turns, each round with content of its own, and nothing is deleted meanwhile: ext4 looks at every file that
        # was deleted in the last minutes when it makes one, which would slow down whoever comes later.
        for number in range(options.rounds):
            path = lab.folder / f"{number}.bin"
            with open("/dev/urandom", "rb") as random, open(path, "wb") as file:
                for _ in range(options.mib):
                    file.write(random.read(1 << 20))
            for flavour, contender in contenders.items():
                os.sync()  # what others have written is not this one's to wait for
                contender.round(path, size)
                print_now(f"  {flavour}: round {number + 1}: {size / (1 << 20) / contender.times[-1]:.0f} MiB/s")
        report("add", {f: c.rows(size) for f, c in contenders.items()}, f"a file of {options.mib} MiB")


if __name__ == "__main__":
    main()
