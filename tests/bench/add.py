"""Uploads: one file through POST /add of ours and of the reference, and straight into Kubo. See scripts/bench."""
import argparse
import socket
import time

from harness import http
from harness.wait import wait_until
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


def measure(lab, flavour, path, size, rounds):
    kubo = lab.kubo()
    rows = {}
    if flavour == "kubo":
        port, target, process, key = kubo.api_port, "/api/v0/add?pin=true&quieter=true&progress=false", None, "Hash"
    else:
        peer = lab.peer(kubo, flavour, flavour)
        peer.wait_candidates()
        port, target, process, key = peer.rest_port, "/add?stream-channels=true&progress=false", peer.process, "cid"
    times = []
    for _ in range(rounds):
        took, last = upload(port, target, path, size)
        times.append(took)
        cid = last[key]
        if process:
            peer.wait_status(cid, "pinned", 60)
            peer.call("DELETE", f"/pins/{cid}")
            wait_until(lambda c=cid: not kubo.is_pinned(c), 60, "it is unpinned")
        else:
            kubo.cli("pin", "rm", cid)
        kubo.cli("repo", "gc", "-q")
    rows["best, MiB/s"] = size / (1 << 20) / min(times)
    rows["median, MiB/s"] = size / (1 << 20) / sorted(times)[len(times) // 2]
    if process:
        rows["peak RSS of the peer, MB"] = process.peak_rss() / 1e6
        rows["CPU of the peer, s a GiB"] = process.cpu_seconds() / rounds / size * (1 << 30)
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("ours", "go", "kubo"))
    options = parser.parse_args()
    results = {}
    for flavour in [options.only] if options.only else ["ours", "go", "kubo"]:
        with laboratory() as lab:
            path = lab.folder / "f.bin"
            with open("/dev/urandom", "rb") as random, open(path, "wb") as file:
                for _ in range(options.mib):
                    file.write(random.read(1 << 20))
            results[flavour] = measure(lab, flavour, path, options.mib << 20, options.rounds)
            print_now(f"  {flavour}: {results[flavour]}")
    report("add", results, f"a file of {options.mib} MiB")


if __name__ == "__main__":
    main()
