"""A headless Chromium, driven over its DevTools protocol: pages, the mouse, the keyboard, screenshots.

It knows nothing of what it is shown. Every start has a profile of its own, which is gone afterwards, and the
browser fetches nothing by itself. What pages complain about (exceptions, console errors, refused resources) and
what they ask of the network is kept in `complaints` and `requests`.
"""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from websockets.sync.client import connect

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
]
PATIENCE = 30.0


def program():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    sys.exit("no Chromium is installed: apt-get install chromium")


class Browser:
    """One tab of one browser; `with Browser() as browser`."""

    def __enter__(self):
        self.complaints, self.requests, self.last = [], [], 0
        self.profile = tempfile.mkdtemp(prefix="latents-chromium-")
        command = [program(), *FLAGS, f"--user-data-dir={self.profile}", "about:blank"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, **quiet)
        try:
            self.socket = connect(self._address(), max_size=None)
            target = self.send("Target.createTarget", url="about:blank")["targetId"]
            self.session = None
            attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
            self.session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.send(f"{domain}.enable")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            self.socket.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        shutil.rmtree(self.profile, ignore_errors=True)

    def _address(self):
        file = Path(self.profile, "DevToolsActivePort")
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.process.poll() is not None:
                sys.exit(f"{program()} ended with {self.process.returncode}")
            lines = file.read_text().splitlines() if file.exists() else []
            if len(lines) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            time.sleep(0.05)
        sys.exit(f"{program()} did not start within {PATIENCE:.0f} s")

    session = None

    def send(self, method, **parameters):
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.socket.send(json.dumps(message))
        while True:
            answer = json.loads(self.socket.recv(timeout=PATIENCE))
            if answer.get("id") == self.last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self._event(answer.get("method"), answer.get("params", {}))

    def _event(self, method, event):
        if method == "Runtime.exceptionThrown":
            details = event["exceptionDetails"]
            text = details.get("exception", {}).get("description", details["text"])
            self.complaints.append(f"exception: {text}")
        elif method == "Runtime.consoleAPICalled" and event["type"] in ("error", "warning", "assert"):
            text = " ".join(str(a.get("value", a.get("description"))) for a in event["args"])
            self.complaints.append(f"console: {text}")
        elif method == "Log.entryAdded" and event["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"log: {event['entry']['text']}")
        elif method == "Page.javascriptDialogOpening":
            self.complaints.append(f"dialog: {event['message']}")
        elif method == "Network.requestWillBeSent":
            self.requests.append(event["request"]["url"])

    def open(self, path):
        self.send("Page.navigate", url=Path(path).resolve().as_uri())
        self.wait("document.readyState === 'complete'")

    def run(self, expression):
        """The value of a JavaScript expression; promises are waited for."""
        options = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        result = self.send("Runtime.evaluate", **options)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            text = details.get("exception", {}).get("description", details["text"])
            raise RuntimeError(f"{expression}: {text}")
        return result["result"].get("value")

    def wait(self, expression):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.run(expression):
                return
            time.sleep(0.03)
        raise RuntimeError(f"still not so after {PATIENCE:.0f} s: {expression}")

    def size(self, width, height, ratio=1, mobile=False):
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=ratio,
            mobile=mobile,
        )

    def scheme(self, name):
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.send("Emulation.setEmulatedMedia", features=features)

    def mouse(self, kind, x, y, **more):
        button = {} if kind in ("mouseMoved", "mouseWheel") and "buttons" not in more else {"button": "left"}
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button, **more)

    def click(self, x, y):
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, clickCount=1)
        self.mouse("mouseReleased", x, y, clickCount=1)

    def drag(self, start, end, steps=12):
        self.mouse("mouseMoved", *start)
        self.mouse("mousePressed", *start, clickCount=1)
        for i in range(1, steps + 1):
            x, y = (a + (b - a) * i / steps for a, b in zip(start, end))
            self.mouse("mouseMoved", x, y, buttons=1)
        self.mouse("mouseReleased", *end, clickCount=1)

    def key(self, name, shift=False):
        codes = {
            "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40,
            "Enter": 13, "Tab": 9, "Escape": 27, " ": 32,
        }  # fmt: skip
        text = {"Enter": "\r"}.get(name, name if len(name) == 1 else None)
        key = {"key": name, "windowsVirtualKeyCode": codes.get(name, ord(name[0].upper()))}
        key |= {"modifiers": 8} if shift else {}
        typed = {"text": text} if text else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", **key, **typed)
        self.send("Input.dispatchKeyEvent", type="keyUp", **key)

    def type(self, text):
        self.send("Input.insertText", text=text)

    def frame(self):
        """Waits until what was asked for is drawn."""
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def screenshot(self, path, whole=False):
        self.frame()
        options = {"format": "png", "captureBeyondViewport": whole}
        if whole:
            size = self.send("Page.getLayoutMetrics")["cssContentSize"]
            options["clip"] = {"x": 0, "y": 0, **{k: size[k] for k in ("width", "height")}, "scale": 1}
        shot = self.send("Page.captureScreenshot", **options)
        os.makedirs(Path(path).parent, exist_ok=True)
        Path(path).write_bytes(base64.b64decode(shot["data"]))
