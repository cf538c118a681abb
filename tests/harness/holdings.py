"""What a peer of ours holds at this moment: streams, descriptors, threads, memory. Needs observations.metrics.enable_stats."""
import os
import re
import time

from . import http

SEEN_LIMIT, SEEN_BYTES = 200_000, 60  # IDs of gossip messages that are remembered: agent/p2p/seen_messages.h


def descriptors(pid, database):
    """Open descriptors, without the files of the database: it has more of them as it grows."""
    count = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            count += not os.readlink(f"/proc/{pid}/fd/{fd}").startswith(database)
        except FileNotFoundError:  # closed meanwhile
            pass
    return count


def holdings(peer):
    """Memory is without what the database has for its cache and writes, up to a budget."""
    text = http.request(peer.metrics_port, "GET", "/metrics").body.decode()

    def sample(name):
        return sum(float(v) for v in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)", text, re.M))
    return {"streams": sample("ipfs_cluster_agent_streams"), "connections": sample("ipfs_cluster_agent_connections"),
            "descriptors": descriptors(peer.process.pid, str(peer.config_dir)),
            "threads": len(os.listdir(f"/proc/{peer.process.pid}/task")),
            "messages": sample("ipfs_cluster_agent_gossip_messages_total"),
            "memory": peer.process.rss()[1] - sample("ipfs_cluster_agent_store_memory_bytes")}


def least(peers, seconds=1):
    """The least of each figure within a while: calls and metrics come and go, and what stays is meant."""
    found = [holdings(peer) for peer in peers]
    for _ in range(10):
        time.sleep(seconds / 10)
        found = [{key: min(value, now[key]) for key, value in known.items()} for known, now in zip(found, map(holdings, peers))]
    return found


def remembered(before, after):
    """Bytes for the IDs of the messages between two holdings of one process. They are kept for half an hour, the reference's."""
    return min(SEEN_LIMIT, max(0, after["messages"] - before["messages"])) * SEEN_BYTES
