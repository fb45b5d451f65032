"""A headless Chromium that tests drive by its DevTools protocol, through two pipes; nothing else needs to be installed."""

import itertools
import json
import os
import shutil
import subprocess
from base64 import b64decode

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-quic"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
    # Where a page asked for the network after all, nothing would leave this machine.
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe"),
)


def path():
    """The browser of this machine; None where there is none, or none that takes pipes."""
    return None if os.name == "nt" else next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page at a time; `events` are what it tells since it was opened: errors, requests, loads."""

    def __init__(self, folder):
        (reads, self._to), (self._from, writes) = os.pipe(), os.pipe()

        def wire():  # the browser reads from 3 and writes to 4
            low, high = os.dup(reads), os.dup(writes)
            os.dup2(low, 3)
            os.dup2(high, 4)

        self._process = subprocess.Popen(
            [path(), *FLAGS, f"--user-data-dir={folder}", "about:blank"],
            preexec_fn=wire,
            pass_fds=(3, 4),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(reads)
        os.close(writes)
        self._numbers, self._rest, self._session, self.events = itertools.count(1), b"", None, []
        target = next(each for each in self.ask("Target.getTargets")["targetInfos"] if each["type"] == "page")
        self._session = self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method, **parameters):
        """Send one command, and return what it gives."""
        number = next(self._numbers)
        session = {"sessionId": self._session} if self._session else {}
        message = {"id": number, "method": method, "params": parameters, **session}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, url):
        """Load a page, and forget what the last one told."""
        self.events = []
        self.ask("Page.navigate", url=url)
        while not any(each["method"] == "Page.loadEventFired" for each in self.events):
            self.events.append(self._next())

    def run(self, expression):
        """The value of JavaScript in the page, a promise's once it is kept; with all its digits."""
        done = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def press(self, key):
        for kind in ("rawKeyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=KEYS[key])

    def type(self, text):
        self.ask("Input.insertText", text=text)

    def look(self, width=1200, height=900, **features):
        """Set the size of the window, and media features such as prefers_color_scheme="dark"."""
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        media = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.ask("Emulation.setEmulatedMedia", features=media)

    def screenshot(self, **options):
        return b64decode(self.ask("Page.captureScreenshot", **options)["data"])

    def close(self):
        self.ask("Browser.close")
        self._process.wait(30)
        os.close(self._to)
        os.close(self._from)

    def _next(self):
        while b"\0" not in self._rest:
            piece = os.read(self._from, 1 << 16)
            assert piece, "the browser ended"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)


KEYS = {"Tab": 9, "Enter": 13, "PageUp": 33, "PageDown": 34, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowRight": 39}
