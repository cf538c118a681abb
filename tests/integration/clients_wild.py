"""Clients of the REST API that other people wrote, as they still install, and the curl lines of the README."""
import json
import os
import re
import subprocess

import pytest

from harness import tools, wild
from harness.wait import wait_until


@pytest.fixture
def world(lab, flavour):
    kubo = lab.kubo()
    peer = lab.peer(kubo, flavour)
    peer.wait_candidates()
    return kubo, peer


def url(peer):
    return f"http://127.0.0.1:{peer.rest_port}"


def python(interpreter, script, *args):
    done = subprocess.run([interpreter, "-c", script, *map(str, args)], capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout.splitlines()[-1])


def test_npm_nftstorage_ipfs_cluster(world):
    """@nftstorage/ipfs-cluster 5.0.1, the client that nft.storage and web3.storage used."""
    folder = wild.npm("nftstorage", "@nftstorage/ipfs-cluster@5.0.1")
    kubo, peer = world
    out = wild.node(folder, """
import { File as NodeFile } from 'node:buffer'
globalThis.File ??= NodeFile
const { Cluster } = await import('@nftstorage/ipfs-cluster')
const cluster = new Cluster(process.argv[2])
const version = await cluster.version()
const info = await cluster.info()
const added = await cluster.add(new File(['from npm'], 'a.txt'), { name: 'npm', metadata: { k: 'v' } })
const directory = await cluster.addDirectory([new File(['one'], 'one.txt'), new File(['two'], 'two.txt')])
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
let status = await cluster.status(added.cid)
for (let n = 0; n < 100 && Object.values(status.peerMap)[0].status !== 'pinned'; n++) {
  await sleep(100)
  status = await cluster.status(added.cid)
}
const all = []
for (const s of await cluster.statusAll({ filter: 'pinned' })) all.push(s.cid)
const allocation = await cluster.allocation(added.cid)
const names = await cluster.metricNames()
const peers = await cluster.peerList()
const recovered = await cluster.recover(added.cid)
await cluster.pin(added.cid, { name: 'again' })
await cluster.unpin(added.cid)
console.log(JSON.stringify({ version, id: info.id, cid: added.cid, files: directory.length,
  status: Object.values(status.peerMap)[0].status, all, name: allocation.name, k: allocation.metadata.k,
  names, peers: peers.map((p) => p.id), recovered: recovered.cid }))
""", url(peer))
    result = json.loads(out)
    assert result["version"] == "1.1.6" and result["id"] == peer.id and result["peers"] == [peer.id]
    assert result["status"] == "pinned" and result["cid"] in result["all"] and result["recovered"] == result["cid"]
    assert (result["name"], result["k"], result["files"]) == ("npm", "v", 3) and "ping" in result["names"]
    assert result["cid"] not in peer.pinset()


def test_npm_ipfs_cluster_api(world):
    """ipfs-cluster-api 0.0.9, of 2019, which needs two packages more than it says."""
    folder = wild.npm("ipfs-cluster-api", "ipfs-cluster-api@0.0.9", "debug@4.4.3", "is-stream@1.1.0")
    kubo, peer = world
    cid = kubo.add([("f", b"for an old client\n")])
    out = wild.node(folder, """
import { createRequire } from 'node:module'
const api = createRequire(import.meta.url)('ipfs-cluster-api')
const cluster = api('127.0.0.1', process.argv[2], { protocol: 'http' })
const cid = process.argv[3]
const id = await cluster.id()
const version = await cluster.version()
await cluster.pin.add(cid)
const listed = await cluster.pin.ls()
const graph = await cluster.health.graph()
const status = await cluster.status(cid)
await cluster.pin.rm(cid)
console.log(JSON.stringify({ id: id.id, version: version.version, graph: graph.cluster_id, status: status.cid,
  listed: JSON.stringify(listed).includes(cid) }))
process.exit(0)
""", peer.rest_port, cid)
    result = json.loads(out)
    assert result["id"] == peer.id == result["graph"] and result["version"] == "1.1.6"
    assert result["status"] == cid and result["listed"] and not peer.pinset()


def test_pypi_ipfscluster(world):
    """ipfscluster 0.2.0, of 2019, with the ipfshttpclient of its time."""
    interpreter = wild.venv("ipfscluster", "ipfscluster==0.2.0", "ipfshttpclient==0.4.12", "setuptools<81")
    kubo, peer = world
    cid = kubo.add([("f", b"from PyPI\n")])
    result = python(interpreter, """
import json, sys, warnings
warnings.simplefilter("ignore")
import ipfscluster
client = ipfscluster.connect(f"/dns/localhost/tcp/{sys.argv[1]}/http")
client.pins.add(sys.argv[2])
print(json.dumps({"id": client.id()["id"], "version": client.version()["version"],
                  "status": client.pins.ls(sys.argv[2])["cid"],
                  "allocation": client.allocations.ls(sys.argv[2])["cid"],
                  "graph": client.health.graph()["cluster_id"], "removed": str(client.pins.rm(sys.argv[2]))}))
""", peer.rest_port, cid)
    assert result["id"] == peer.id == result["graph"] and result["version"] == "1.1.6"
    assert result["status"] == result["allocation"] == cid and not peer.pinset()


def test_pypi_asyncipfscluster(world):
    """asyncipfscluster 0.1.2, of 2022."""
    interpreter = wild.venv("asyncipfscluster", "asyncipfscluster==0.1.2")
    kubo, peer = world
    result = python(interpreter, """
import asyncio, json, sys
from asyncipfscluster import IPFSClient

async def main():
    client = IPFSClient(sys.argv[1])
    async with client:
        cid = await client.add_bytes(b"from asyncio", "text/plain", name="async")
        other = await client.add_bytes(b"gone again", "text/plain")
        await client.remove(other)
    print(json.dumps({"cid": cid, "other": other}))

asyncio.run(main())
""", url(peer))
    assert {cid: pin["name"] for cid, pin in peer.pinset().items()} == {result["cid"]: "async"}
    wait_until(lambda: kubo.is_pinned(result["cid"]), 30, "it is pinned")


def test_curl_lines_of_the_readme(world):
    """Every curl line of README.md, in order, against a running peer; a shell runs them as a reader would."""
    text = (tools.ROOT / "README.md").read_text()
    block = next(b for b in re.findall(r"```\n(.*?)```", text, re.S) if "curl " in b)
    assert block.count("curl ") >= 6
    kubo, peer = world
    script = "set -euo pipefail\n" + block.replace("http://127.0.0.1:9094", url(peer))
    folder = peer.folder / "readme"
    folder.mkdir()
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=120, check=False,
                          env=dict(os.environ, CURL_HOME=str(folder)))
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    assert peer.id in done.stdout and not peer.pinset()
