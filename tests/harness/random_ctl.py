"""Random command lines for the cluster's client, and its output without what differs from peer to peer and moment to moment."""
import re

from .random_rest import ABSENT, FITTING, MOMENTS, NO_CIDS, OTHER, Choices

INTEGERS = ["1", "-1", "0", "2", "x", "", "1.5", "-2"]
# Options of a command: a flag and, where it has one, its values. SELF stands for the asked peer.
PIN = {"--replication": INTEGERS, "-r": INTEGERS, "--replication-min": INTEGERS, "--rmin": INTEGERS, "--replication-max": INTEGERS,
       "--rmax": INTEGERS, "--name": ["n", "", "a b", "é"], "-n": ["x"], "--mode": ["recursive", "direct", "foo", ""],
       "--expire-in": ["1h", "0", "foo", "1s", "-1h", "24h"], "--metadata": ["a=1", "a", "=", "a=1=2", "é=ü", "b=2"],
       "--allocations": [OTHER, "foo", "SELF", f"SELF,{OTHER}"], "--no-status": None, "--ns": None, "--wait": None,
       "--wait-timeout": ["1s", "100ms", "x"], "-h": None}
ADD = {"--recursive": None, "-r": None, "--quieter": None, "-Q": None, "--no-stream": None,
       "--layout": ["balanced", "trickle", "foo", ""], "--wrap-with-directory": None, "-w": None, "--hidden": None,
       "--chunker": ["size-100", "foo", "rabin", "size-0"], "--raw-leaves": None, "--raw-leaves=false": None,
       "--cid-version": ["0", "1", "2", "x"], "--hash": ["sha2-256", "sha3-512", "foo", "blake3"], "--format": ["unixfs", "car", "foo"],
       "--local": None, "--no-pin": None, "--name": ["n"], "--expire-in": ["1h"], "--metadata": ["a=1"], "--allocations": ["SELF"],
       "--nocopy": None}
GLOBAL = [["--enc", "json"], ["--encoding=json"], ["--enc", "text"], ["--enc", "foo"], ["--timeout", "10s"], ["--timeout", "x"],
          ["--host", "/ip4/127.0.0.1/tcp/1"], ["--host", "foo"], ["--basic-auth", "a:b"], ["--force-http"], ["--https"],
          ["--no-check-certificate"], ["--secret", "zz"], ["--unknown"]]
WORDS = ["id", "version", "--version", "-v", "peers ls", "peers", "peers rm foo", "peers rm", f"peers rm {OTHER}", "peers foo", "commands",
         "foo", "", "help", "h", "--help", "-h", "help pin", "pin", "pin foo", "pin help", "pin add --help", "health graph --help",
         "health metrics", "health metrics freespace", "health metrics ping", "health metrics foo", "health alerts", "health foo", "ipfs",
         "ipfs gc --help", "ipfs gc", "ipfs gc --local", "ipfs gc -l", "status --help", "add --help", "recover -h", "id --help", "help nope",
         "pin help add", "pin help nope", "pin rm --unknown", "status --unknown", "recover --unknown"]
FILES = ["a.txt", "a.txt", "a.txt", "-r d", "-r d a.txt", "d", "nope", "", "e", "-r e", "empty", "big", "-r .", "a.txt empty"]


def make_files(folder):
    """What the command lines upload."""
    for name in ("d", "e"):
        (folder / name).mkdir(parents=True)
    for name, content in {"a.txt": b"alpha\n", "d/x": b"1", "d/.h": b"2", "empty": b"", "big": b"abc" * 300_000}.items():
        (folder / name).write_bytes(content)


class CommandLines(Choices):
    """Endless argument lists."""

    def cid(self):
        return self.random.choice(self.random.choices([self.cids, ABSENT[:1], NO_CIDS[:2] + NO_CIDS[3:5]], [7, 1, 2])[0])

    def path(self):
        known = self.random.choice(self.cids)
        return self.one_of(self.cid(), self.cid(), f"/ipfs/{self.cid()}", "/ipns/foo", f"ipfs://{known}", f"https://a/ipfs/{known}")

    def options(self, table, most):
        line = []
        for flag in self.random.choices(list(table), k=self.random.randint(0, most)):
            line += [flag] if table[flag] is None else [flag, self.random.choice(table[flag])]
        return line

    def command(self):
        kind = self.random.choices(["pin add", "pin rm", "pin ls", "pin update", "status", "recover", "words", "add"],
                                   [20, 7, 7, 6, 15, 6, 14, 25])[0]
        if kind == "pin add":
            return ["pin", "add", *self.options(PIN, 3), *self.one_of([self.path()], [self.path()], [], [self.path(), self.path()])]
        if kind == "pin rm":
            return ["pin", "rm", *self.one_of([], ["--no-status"]), *self.one_of([self.path()], [], [self.path(), "x"])]
        if kind == "pin ls":
            return ["pin", "ls", *self.one_of([], [self.cid()], ["--filter", self.one_of("pin", "all", "foo", "", "meta-pin,pin")], ["-h"])]
        if kind == "pin update":
            return ["pin", "update", *self.one_of([], ["--name", "u"], ["--expire-in", "1h"], ["--no-status"]),
                    *self.one_of([self.cid(), self.cid()], [self.cid()], [], [f"/ipfs/{self.cid()}", self.cid()])]
        if kind == "status":
            return ["status", *self.one_of([], [self.cid()], [self.cid(), self.cid()], ["--local"], ["-l", self.cid()],
                                           ["--filter", self.random.choice(FITTING["filter"])], ["--filter", "pinned", self.cid()])]
        if kind == "recover":
            return ["recover", *self.one_of([self.cid()], ["-l", self.cid()])]
        if kind == "words":
            return self.random.choice(WORDS).split()
        return ["add", *self.options(ADD, 2), *self.random.choice(FILES).split()]

    def __next__(self):
        line = self.random.choice(GLOBAL) if self.random.random() < 0.12 else []
        return line + (["--enc", "json"] if self.random.random() < 0.2 else []) + self.command()


LOG_LINES = re.compile(r"^<time>\s+(ERROR|DEBUG|INFO)\s.*\n?", re.M)
TABLE_TIMES = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[^|\n]*")
# How far a pin has come, and with what luck, is a matter of time.
PROGRESS = re.compile(r'\b(PINNING|PINNED|PIN_QUEUED|PIN_ERROR)\b.*|"status": "(pinning|pinned|pin_queued|pin_error)".*')
VARIABLE = re.compile(r'"(attempt_count|created|value|weight|expire|priority_pin|received_at|error)": [^\n]*|Expires in: .*| \| Expiry: .*'
                      r'|Attempts: \d+.*|[\d.]+ ?[kKMGT]?i?B\b')


def normal(text, names):
    """Sorted lines of an output; names: {text of this peer: what stands for it}. The reference's own log is left out."""
    text = TABLE_TIMES.sub("<time>", MOMENTS.sub("<time>", text))
    text = LOG_LINES.sub("", text)
    for own, name in names.items():
        text = text.replace(own, name)
    text = VARIABLE.sub("<value>", PROGRESS.sub("<pin>", text))
    return sorted(" ".join(line.split()) for line in text.split("\n"))  # columns are as wide as their content
