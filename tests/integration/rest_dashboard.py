"""The page for browsers: what others get at GET / stays as it was; in headless Chromium it shows the peer."""
import base64
import re
import shutil
import subprocess

import pytest

from harness import ports
from harness.corpus import FIXTURES
from harness.devtools import Page
from harness.wait import wait_until

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
USERS = {"api/restapi": {"basic_auth_credentials": {"alice": "wonder"}}}


def chromium():
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if not program:
        pytest.skip("chromium is not installed (scripts/deps)")
    return program


def browse(lab, url, *flags, budget=8000):
    """The page's text after its scripts have run."""
    done = subprocess.run(
        [chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         f"--user-data-dir={lab.folder / 'chromium'}", f"--virtual-time-budget={budget}", "--timeout=30000", *flags,
         url], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout, done.stderr


def test_only_browsers_get_it(lab, flavour):
    """As the reference without a browser; a page under the same credentials with one; off by its setting."""
    peer = lab.peer(lab.fake_kubo(), flavour, settings=USERS)
    login = {"Authorization": "Basic " + base64.b64encode(b"alice:wonder").decode()}
    plain = peer.call("GET", "/", login)
    assert plain.status == 307 and plain.header("Location") == "/"
    if flavour == "go":
        return
    assert peer.call("GET", "/", HTML).status == 401
    page = peer.call("GET", "/", {**HTML, **login})
    assert page.status == 200 and page.header("Content-Type") == "text/html; charset=utf-8"
    nonce = re.search(r"script-src 'nonce-([0-9a-f]{32})'", page.header("Content-Security-Policy"))[1]
    assert f'<script nonce="{nonce}">'.encode() in page.body and b"@NONCE@" not in page.body
    # Nothing comes from anywhere else.
    assert not re.search(rb"""(src|href)\s*=|url\(|@import|https?://""", page.body)
    assert peer.call("POST", "/", {**HTML, **login}).status == 307
    peer.stop()
    peer.configure({"agent": {"dashboard": False}})
    peer.start()
    assert peer.call("GET", "/", {**HTML, **login}).status == 307


def test_in_chromium(lab):
    """Peers, pins by status, queue and digest are shown; so is a pin that is looked for."""
    chromium()
    kubo = lab.kubo()
    peer = lab.peer(kubo, name="the-peer")
    cid = kubo.add([("f", b"shown\n")])
    for pin in (cid, FIXTURES["missing"]):
        assert peer.call("POST", f"/pins/{pin}?name=shown").status == 200
    peer.wait_status(cid, "pinned")
    summary = peer.call("GET", "/health/summary").json()
    url = f"http://127.0.0.1:{peer.rest_port}/"
    dom, log = browse(lab, url, "--dump-dom", "--enable-logging=stderr")
    assert 'data-ready="yes"' in dom and "the-peer" in dom and peer.id in dom and kubo.id in dom, dom[-3000:]
    assert re.search(r"Pins in the cluster<b[^>]*>2</b>", dom) and re.search(r"Pinned here<b[^>]*>1</b>", dom)
    assert summary["digest"][:8] in dom and summary["pins"] == 2
    assert 'id="problem" class="bad" role="alert"></div>' in dom
    assert "Content Security Policy" not in log and "Uncaught" not in log, log[-2000:]
    shot = lab.folder / "page.png"
    browse(lab, url, f"--screenshot={shot}", "--window-size=1000,900")
    assert shot.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and shot.stat().st_size > 10_000


def test_find_in_chromium(lab):
    """A search through the page's own form, driven over the DevTools protocol."""
    kubo = lab.kubo()
    peer = lab.peer(kubo)
    cid = kubo.add([("f", b"found\n")])
    assert peer.call("POST", f"/pins/{cid}?name=needle").status == 200
    peer.wait_status(cid, "pinned")
    port = ports.free_port()
    process = subprocess.Popen(
        [chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         f"--user-data-dir={lab.folder / 'chromium'}", f"--remote-debugging-port={port}",
         f"http://127.0.0.1:{peer.rest_port}/"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True)
    try:
        page = wait_until(lambda: Page.attach(port), 30, "the browser is there", 0.2)
        page.wait("document.body.dataset.ready === 'yes'")
        page.run(f"document.getElementById('cid').value = '{cid}'; document.querySelector('#find button').click()")
        page.wait("document.querySelector('#found table')")
        text = page.run("document.getElementById('found').textContent")
        assert "needle" in text and "pinned" in text
        page.run("document.getElementById('cid').value = 'bogus'; document.querySelector('#find button').click()")
        page.wait("document.querySelector('#found .bad')")
        assert "error decoding Cid" in page.run("document.getElementById('found').textContent")
    finally:
        process.terminate()
        process.wait(20)
