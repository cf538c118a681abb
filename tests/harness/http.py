"""HTTP to the byte: requests as given (also malformed ones), answers with trailers and header order."""
import dataclasses
import json
import socket


@dataclasses.dataclass
class Answer:
    """status is None when the peer closed the connection without an answer."""
    status: int = None
    headers: list = dataclasses.field(default_factory=list)
    trailers: list = dataclasses.field(default_factory=list)
    body: bytes = b""
    complete: bool = True  # False: the connection ended inside the body

    def header(self, name):
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)

    def json(self):
        return json.loads(self.body)

    def trailer(self, name):
        return next((v for k, v in self.trailers if k.lower() == name.lower()), None)

    def documents(self):
        return documents(self.body)

    def added(self):
        """The root CID that a POST /add tells last; what went wrong is in the message."""
        wrong = self.trailer("X-Stream-Error")
        found = self.documents() if self.status == 200 and self.complete and not wrong else None
        assert found, f"not added: {self.status} {wrong or ''} {self.body[-500:]!r}"
        return found[-1]["cid"]


def documents(body):
    """Every JSON document in a body, or None when it is not JSON."""
    text, at, found, decoder = body.decode("utf-8", "replace"), 0, [], json.JSONDecoder()
    while True:
        while at < len(text) and text[at] in " \r\n\t":
            at += 1
        if at == len(text):
            return found
        try:
            value, at = decoder.raw_decode(text, at)
        except ValueError:
            return None
        found.append(value)


def _line(file):
    return file.readline().decode("latin1").rstrip("\r\n")


def _fields(file):
    found = []
    while line := _line(file):
        name, _, value = line.partition(":")
        found.append([name, value.strip()])
    return found


def read_answer(file, method="GET"):
    """Reads one answer from a binary file object over a socket."""
    first = _line(file)
    if not first:
        return Answer()
    answer = Answer(status=int(first.split()[1]), headers=_fields(file))
    if method == "HEAD" or answer.status in (204, 304) or 100 <= answer.status < 200:
        return answer
    if (answer.header("Transfer-Encoding") or "").lower() == "chunked":
        pieces = []
        while True:
            size = _line(file).split(";")[0]
            if not size:
                answer.complete = False
                break
            size = int(size, 16)
            if size == 0:
                answer.trailers = _fields(file)
                break
            piece = file.read(size)
            pieces.append(piece)
            if len(piece) < size:
                answer.complete = False
                break
            file.read(2)
        answer.body = b"".join(pieces)
    elif answer.header("Content-Length") is not None:
        size = int(answer.header("Content-Length"))
        answer.body = file.read(size)
        answer.complete = len(answer.body) == size
    else:
        answer.body = file.read()
    return answer


def exchange(port, data, method="GET", timeout=60, host="127.0.0.1"):
    """Sends bytes as they are on a new connection and reads one answer."""
    with socket.create_connection((host, port), timeout=timeout) as s:
        s.settimeout(timeout)
        try:
            s.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # a server may answer and close before it has read a request that it refuses
        with s.makefile("rb") as file:
            try:
                return read_answer(file, method)
            except ConnectionResetError:
                return Answer()


def build(port, method, target, headers=(), body=None, version="HTTP/1.1"):
    lines = dict([("Host", f"127.0.0.1:{port}")] + list(dict(headers).items()))
    if body is not None:
        lines.setdefault("Content-Length", str(len(body)))
    elif method in ("POST", "PUT"):
        lines.setdefault("Content-Length", "0")
    head = f"{method} {target} {version}\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n"
    return head.encode("latin1") + (body or b"")


def request(port, method, target, headers=(), body=None, version="HTTP/1.1", timeout=60, host="127.0.0.1"):
    """One request on a connection of its own."""
    return exchange(port, build(port, method, target, headers, body, version), method, timeout, host)


def multipart(files, boundary="ica-test-boundary", field="file"):
    """(content type, body) of an upload. files: (path, bytes or None for a directory)."""
    body = b""
    for path, content in files:
        kind = "application/octet-stream" if content is not None else "application/x-directory"
        body += (f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{path}"\r\n'
                 f"Content-Type: {kind}\r\n\r\n").encode() + (content or b"") + b"\r\n"
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()
