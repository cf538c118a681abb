"""What docs/security.md promises: where requests end, who guesses passwords, where secrets show, how programs are built."""
import base64
import json
import os
import pathlib
import re
import socket
import stat
import subprocess

import pytest

from harness import http, tools
from harness.peer import SECRET

USERS = {"alice": "wonder-land-77", "bob": "builder-of-things-88"}
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """One peer for all the requests that it must refuse."""
    from harness.lab import Lab
    lab = Lab(tmp_path_factory.mktemp("security"))
    yield lab.peer(lab.fake_kubo())
    problems = lab.close()
    assert not problems, "\n".join(problems) + lab.logs()


def statuses(port, data):
    """Status codes of all the answers to these bytes, and whether the peer closed the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        s.settimeout(1)
        received = b""
        try:
            s.sendall(data)
            while piece := s.recv(65536):
                received += piece
            closed = True
        except TimeoutError:
            closed = False
        except (ConnectionResetError, BrokenPipeError):
            closed = True
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)], closed


def post(*fields, body=b""):
    return b"POST /pins/recover?local=true HTTP/1.1\r\nHost: a\r\n" + b"\r\n".join(fields) + b"\r\n\r\n" + body


REFUSED = {
    "length and coding": post(b"Content-Length: 6", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN),
    "coding and length": post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n" + HIDDEN),
    "two lengths": post(b"Content-Length: 0", b"Content-Length: 33", body=HIDDEN),
    "two equal lengths": post(b"Content-Length: 0", b"Content-Length: 0", body=HIDDEN),
    "list of lengths": post(b"Content-Length: 0, 0", body=HIDDEN),
    "signed length": post(b"Content-Length: +0", body=HIDDEN),
    "hexadecimal length": post(b"Content-Length: 0x0", body=HIDDEN),
    "length with a gap": post(b"Content-Length: 0 0", body=HIDDEN),
    "empty length": post(b"Content-Length:", body=HIDDEN),
    "space before the colon": post(b"Content-Length : 0", body=HIDDEN),
    "tab before the colon": post(b"Transfer-Encoding\t: chunked", body=b"0\r\n\r\n" + HIDDEN),
    "folded line": post(b"X: y", b" Content-Length: 33", body=HIDDEN),
    "folded coding": post(b"Transfer-Encoding:", b" chunked", body=b"0\r\n\r\n" + HIDDEN),
    "two codings": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN),
    "coding with identity": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=b"0\r\n\r\n" + HIDDEN),
    "list of codings": post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n" + HIDDEN),
    "coding misspelt": post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + HIDDEN),
    "coding quoted": post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n" + HIDDEN),
    "coding with a control": post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n" + HIDDEN),
    "lone carriage return": post(b"X: y\rTransfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN),
    "zero byte": post(b"X: y\x00z", body=HIDDEN),
    "coding in 1.0": post(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "two hosts": post(b"Host: b", body=HIDDEN),
    "no host": b"GET /id HTTP/1.1\r\n\r\n" + HIDDEN,
    "space in the target": b"GET /id x HTTP/1.1\r\nHost: a\r\n\r\n" + HIDDEN,
}


@pytest.mark.parametrize("case", REFUSED)
def test_doubtful_ends_of_requests(plain, case):
    """One refusal and the connection closed: what follows is never taken as a second request."""
    codes, closed = statuses(plain.rest_port, REFUSED[case])
    assert len(codes) == 1 and codes[0] in (400, 501), codes
    assert closed


CHUNKED = post(b"Transfer-Encoding: chunked")


@pytest.mark.parametrize("case, framing", {
    "size with a sign": b"+0\r\n\r\n", "size with 0x": b"0x0\r\n\r\n", "no size": b"\r\n\r\n",
    "too many digits": b"f" * 20 + b"\r\n\r\n", "wrong end of a chunk": b"1\r\nabc0\r\n\r\n",
    "extension without end": b"0;" + b"a" * 20_000, "long extension": b"0;" + b"a" * 20_000 + b"\r\n\r\n",
    "bare line feeds": b"0\n\n",
}.items())
def test_doubtful_chunks(plain, case, framing):
    """After a body that cannot be read nothing else is read from the connection."""
    codes, closed = statuses(plain.rest_port, CHUNKED + framing + HIDDEN)
    assert 404 not in codes and len(codes) <= 1, codes
    assert closed


def test_plain_ends_of_requests(plain):
    """The test itself: two good requests in one piece have two answers."""
    for first in (post(b"Content-Length: 0"), CHUNKED + b"0\r\n\r\n", CHUNKED + b"1;name=value\r\nx\r\n0\r\nTrailer: y\r\n\r\n"):
        codes, _ = statuses(plain.rest_port, first + HIDDEN)
        assert len(codes) == 2 and codes[1] == 404, codes


@pytest.mark.parametrize("section, port, path", [("api/restapi", "rest_port", "/id"), ("api/pinsvcapi", "pinsvc_port", "/pins")])
def test_guessed_passwords(lab, section, port, path):
    peer = lab.peer(lab.fake_kubo(), settings={section: {"basic_auth_credentials": USERS}})
    port = getattr(peer, port)

    def ask(headers=(), target=path):
        return http.request(port, "GET", target, headers)

    for number in range(1000):
        wrong = basic("alice", f"guess{number}") if number % 2 else {"Authorization": "Bearer a.b.c"}
        limited = ask(wrong)
        if limited.status != 401:
            break
    assert number >= 100, "scripts with a few mistakes are not meant"
    assert limited.status == 429 and int(limited.header("Retry-After")) >= 1
    assert "too many wrong credentials" in json.dumps(limited.json())
    # A right guess looks like a wrong one, and who shows nothing is told so as ever. Two guesses fade in a second, so
    # that a slow machine may need another try.
    for _ in range(20):
        if ask(basic("alice", "guess")).status == 429 and ask(basic("alice", USERS["alice"])).status == 429:
            break
    else:
        raise AssertionError("the right password passes")
    assert ask().status == 401
    with socket.create_connection(("127.0.0.1", port), timeout=10, source_address=("127.0.0.2", 0)) as other:
        other.sendall(http.build(port, "GET", path, basic("alice", USERS["alice"])))
        with other.makefile("rb") as file:
            assert http.read_answer(file).status == 200


def test_scripts_are_not_hurt(lab):
    """As it is set by default: a hundred mistakes in a row, and the right password still passes."""
    peer = lab.peer(lab.fake_kubo(), settings={"api/restapi": {"basic_auth_credentials": USERS}})
    for _ in range(100):
        assert peer.call("GET", "/id", basic("alice", "wrong")).status == 401
    assert peer.call("GET", "/id", basic("alice", USERS["alice"])).status == 200


def test_secrets_show_nowhere(lab):
    peer = lab.peer(lab.fake_kubo(), settings={"api/restapi": {"basic_auth_credentials": USERS},
                                               "api/pinsvcapi": {"basic_auth_credentials": USERS}},
                    env={"IPFS_CLUSTER_LOG_LEVEL": "debug"})
    identity = json.loads((peer.config_dir / "identity.json").read_text())
    for name, password in USERS.items():
        assert peer.call("GET", "/id", basic(name, password)).status == 200
        token = peer.call("POST", "/token", basic(name, password)).json()["token"]
        assert peer.call("GET", "/id", {"Authorization": f"Bearer {token}"}).status == 200
        assert peer.call("GET", "/id", basic(name, password + "x")).status == 401
    secrets = [SECRET, identity["private_key"], token, *USERS.values(),
               *(basic(*pair)["Authorization"].split()[1] for pair in USERS.items())]
    proc = pathlib.Path("/proc") / str(peer.process.pid)
    program = peer.program_path()
    shown = subprocess.run([program, "--config", peer.config_dir, "config", "show"], env=peer.env, capture_output=True,
                           text=True, check=True).stdout
    metrics = http.request(peer.metrics_port, "GET", "/metrics").body.decode()
    for where, text in {"log": peer.process.log_text(), "cmdline": (proc / "cmdline").read_text(), "config show": shown,
                        "environ": (proc / "environ").read_text(), "metrics": metrics}.items():
        assert not [s for s in secrets if s in text], where
    assert shown.count("XXX_hidden_XXX") >= 3
    assert not list(proc.glob("task/*/children")) or not any(p.read_text() for p in proc.glob("task/*/children"))


def test_files_are_for_their_owner(plain):
    assert stat.S_IMODE(plain.config_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((plain.config_dir / "identity.json").stat().st_mode) == 0o600


def test_init_writes_private_files(tmp_path):
    old = os.umask(0)
    try:
        subprocess.run([tools.our("ipfs-cluster-agent"), "--config", tmp_path / "c", "init"], env=tools.clean_env(),
                       check=True, capture_output=True)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "c").stat().st_mode) == 0o700
    for path in (tmp_path / "c").iterdir():
        if path.name != "peerstore":
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@pytest.mark.parametrize("program", ["ipfs-cluster-agent", "ipfs-cluster-ctl"])
def test_programs_are_hardened(program):
    path = tools.our(program)
    text = subprocess.run(["readelf", "-hldW", path], capture_output=True, text=True, check=True).stdout
    assert re.search(r"Type:\s+DYN \(Position-Independent Executable", text)
    assert re.search(r"Flags:.*\bNOW\b", text) and "GNU_RELRO" in text
    assert re.search(r"GNU_STACK(\s+0x[0-9a-f]+){5}\s+RW\s", text)
    assert not re.search(r"LOAD.*\sRWE\s", text) and "RPATH" not in text and "RUNPATH" not in text
    symbols = subprocess.run(["readelf", "--dyn-syms", "-W", path], capture_output=True, text=True, check=True).stdout
    assert "__stack_chk_fail" in symbols
    if os.environ.get("ICA_PRESET", "release") == "release":
        assert re.search(r"__\w+_chk@", symbols.replace("__stack_chk_fail", "")), "no fortified calls"
        code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", "--disassemble=main", path], capture_output=True, text=True,
                              check=True).stdout
        assert "endbr64" in code, "compiled without branch targets"
