"""What schemathesis does not know by itself; loaded by it (SCHEMATHESIS_HOOKS)."""
import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(ctx, value):
    """Any text: the peer has to answer what is no document too."""
    return value if isinstance(value, bytes) else str(value).encode()
