"""A headless Chromium that tests drive by its DevTools protocol, through two pipes; no package is needed."""

import itertools
import json
import os
import select
import shutil
import subprocess
import sys
from base64 import b64decode

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-quic"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
    # Where a page asked for the network after all, nothing would leave this machine.
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe"),
)
# The browser reads from 3 and writes to 4. Copied out of their way first: the pipes may have these numbers.
WIRED = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
for number, end in zip((3, 4), ends):
    os.dup2(end, number)
os.execv(sys.argv[3], sys.argv[3:])
"""
SILENCE = 30
KEYS = {"Tab": 9, "Space": 32, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowRight": 39, "ArrowDown": 40}


def path():
    """The browser of this machine; None where there is none, or none that takes pipes."""
    return None if os.name == "nt" else next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page at a time; `events` are what it tells since it was opened: errors, requests, loads."""

    def __init__(self, folder):
        (reads, self._to), (self._from, writes) = os.pipe(), os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-c", WIRED, str(reads), str(writes), path(), *FLAGS, f"--user-data-dir={folder}"],
            pass_fds=(reads, writes),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(reads)
        os.close(writes)
        self._numbers, self._rest, self._session, self.events = itertools.count(1), b"", {}, []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method, **parameters):
        """Send one command, and return what it gives."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters, **self._session}
        unsent = json.dumps(message).encode() + b"\0"
        while unsent:
            unsent = unsent[os.write(self._to, unsent) :]
        while (answer := self._next()).get("id") != number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, url):
        """Load a page, and forget what the last one told."""
        self.events = []
        self.ask("Page.navigate", url=url)
        while not self.told("Page.loadEventFired"):
            self.events.append(self._next())

    def told(self, *methods):
        return [event["params"] for event in self.events if event["method"] in methods]

    def run(self, expression):
        """The value of JavaScript in the page, a promise's once it is kept."""
        done = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def press(self, key, shift=False):
        for kind in ("rawKeyDown", "keyUp"):
            self.ask(
                "Input.dispatchKeyEvent",
                **{"type": kind, "code": key, "windowsVirtualKeyCode": KEYS[key], "modifiers": 8 * shift},
                key=" " if key == "Space" else key,
            )

    def type(self, selector, text):
        """Type over what is in a field."""
        self.run(f"document.querySelector({selector!r}).focus(); document.activeElement.select()")
        self.ask("Input.insertText", text=text) if text else self.run("document.execCommand('delete')")

    def look(self, width, height, **features):
        """Set the size of the window, and media features such as prefers_color_scheme="dark"."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        media = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.ask("Emulation.setEmulatedMedia", features=media)

    def screenshot(self):
        """The whole page, as a PNG."""
        return b64decode(self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def close(self):
        self.ask("Browser.close")
        self._process.wait(30)
        os.close(self._to)
        os.close(self._from)

    def _next(self):
        while b"\0" not in self._rest:
            assert select.select([self._from], [], [], SILENCE)[0], f"the browser said nothing for {SILENCE} seconds"
            piece = os.read(self._from, 1 << 16)
            assert piece, "the browser ended"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)
