"""A stand-in for an OpenTelemetry collector: keeps the spans that arrive over OTLP/HTTP (protobuf)."""
import http.server
import threading


def fields(data):
    """(number, value) of a protobuf message: integers, or bytes for everything with a length."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            yield key >> 3, varint()
        elif kind == 2:
            size = varint()
            assert at + size <= len(data), "cut field"
            yield key >> 3, data[at:at + size]
            at += size
        else:
            size = {1: 8, 5: 4}[kind]
            yield key >> 3, int.from_bytes(data[at:at + size], "little")
            at += size


def attributes(pairs):
    found = {}
    for pair in pairs:
        parts = dict(fields(pair))
        value = dict(fields(parts[2]))
        found[parts[1].decode()] = value[1].decode() if 1 in value else value[3]
    return found


class Span:
    def __init__(self, data, resource):
        all_fields = list(fields(data))
        one = dict(all_fields)
        self.resource = resource
        self.trace, self.id = one[1].hex(), one[2].hex()
        self.parent = one.get(4, b"").hex()
        self.state = one.get(3, b"").decode()
        self.name, self.kind = one[5].decode(), one[6]
        self.start, self.end = one[7], one[8]
        self.attributes = attributes(v for k, v in all_fields if k == 9)
        self.failed = 15 in one


class Collector:
    def __init__(self):
        self.spans, self.headers, self.paths = [], [], []
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.headers.append(dict(self.headers))
                collector.paths.append(self.path)
                for _, resource_spans in fields(body):
                    parts = list(fields(resource_spans))
                    resource = attributes(v for k, v in fields(dict(parts)[1]) if k == 1)
                    for _, scope_spans in (p for p in parts if p[0] == 2):
                        collector.spans += [Span(v, resource) for k, v in fields(scope_spans) if k == 2]
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
