#!/usr/bin/env python3
"""Opens reports in headless Chromium, and fails where one is not as it should be.

    scripts/check_report.py                            # trains small models with build/release/pellucid, checks theirs
    scripts/check_report.py report.html ...            # checks these
    scripts/check_report.py --shots FOLDER report.html # also screenshots: light, dark, and as on a phone

For each page, light and dark, wide and as narrow as a phone: nothing on the console, no request but the page itself, no
script in it, every picture drawn (its box and what is in it have a size, no attribute is NaN), texts within their
pictures, and nothing wider than the window. Chromium is the Debian package `chromium`; it is talked to over a pipe, by
its DevTools protocol.
"""

import argparse
import base64
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

VIEWS = [  # name, width, height, scheme
    ("light", 1280, 900, "light"),
    ("dark", 1280, 900, "dark"),
    ("phone", 375, 812, "light"),
]

# What a page says of itself: a list of faults.
LOOK = r"""
(() => {
  const faults = [];
  const name = svg => svg.getAttribute('aria-label') || '(no label)';
  for (const details of document.querySelectorAll('details')) details.open = true;
  for (const svg of document.querySelectorAll('svg')) {
    const box = svg.getBoundingClientRect();
    if (svg.getAttribute('role') !== 'img' || !svg.getAttribute('aria-label')) faults.push('a picture without a label');
    if (box.width < 50 || box.height < 20) faults.push('not drawn: ' + name(svg));
    const shapes = [...svg.querySelectorAll('polyline, circle, rect, path, line')];
    if (!shapes.some(s => s.getBBox().width + s.getBBox().height > 0)) faults.push('empty: ' + name(svg));
    if (/NaN|inf/.test(svg.innerHTML.replace(/<(title|text)[^>]*>[^<]*<\/\1>/g, ''))) faults.push('NaN in: ' + name(svg));
    for (const text of svg.querySelectorAll('text')) {
      const t = text.getBoundingClientRect();
      if (t.left < box.left - 2 || t.right > box.right + 2 || t.top < box.top - 2 || t.bottom > box.bottom + 2)
        faults.push(`text '${text.textContent}' leaves its picture: ` + name(svg));
    }
  }
  for (const image of document.images) if (!image.naturalWidth) faults.push('an image that is not drawn: ' + image.alt);
  if (document.scripts.length) faults.push('a script');
  for (const element of document.querySelectorAll('*'))
    for (const attribute of element.attributes)
      if (attribute.name.startsWith('on')) faults.push('a handler: ' + attribute.name);
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth + 1) faults.push(`the page is ${wide} pixels wide in a window of ${innerWidth}`);
  return {faults, pictures: document.querySelectorAll('svg').length + document.images.length,
          height: document.documentElement.scrollHeight};
})()
"""


class Browser:
    """Chromium, talked to in JSON texts that end in NUL over descriptors 3 and 4."""

    def __init__(self, program):
        self.folder = tempfile.TemporaryDirectory()
        to_read, self.write = os.pipe()
        self.read, to_write = os.pipe()

        def place():
            os.dup2(to_read, 3)
            os.dup2(to_write, 4)

        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run", "--hide-scrollbars"]
        self.process = subprocess.Popen(
            [program, *flags, f"--user-data-dir={self.folder.name}"],
            pass_fds=(3, 4),
            preexec_fn=place,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self.rest, self.number, self.events, self.session = b"", 0, [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def message(self):
        while b"\0" not in self.rest:
            part = os.read(self.read, 1 << 20)
            if not part:
                raise SystemExit("chromium ended unexpectedly")
            self.rest += part
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **parameters):
        self.number += 1
        request = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.write, json.dumps(request).encode() + b"\0")
        while True:
            answer = self.message()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise SystemExit(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method):
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.message())

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


def told(events, address):
    """What the console, the log and the network have against the page."""
    faults = []
    for event in events:
        method, values = event.get("method"), event.get("params", {})
        if method == "Runtime.consoleAPICalled":
            faults.append("console: " + " ".join(str(a.get("value", a.get("description"))) for a in values["args"]))
        if method == "Runtime.exceptionThrown":
            faults.append("exception: " + values["exceptionDetails"]["text"])
        if method == "Log.entryAdded":
            faults.append("log: " + values["entry"]["text"])
        if method == "Network.requestWillBeSent":
            asked = values["request"]["url"]
            if asked != address and not asked.startswith("data:"):
                faults.append("request: " + asked)
    return faults


def look(browser, page, view, shots):
    name, width, height, scheme = view
    address = page.resolve().as_uri()
    browser.call(
        "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2 if name == "phone" else 1, mobile=name == "phone"
    )
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.events.clear()
    browser.call("Page.navigate", url=address)
    browser.wait_for("Page.loadEventFired")
    if shots:
        shot = browser.call("Page.captureScreenshot", captureBeyondViewport=True, format="png")
        (shots / f"{page.stem}-{name}.png").write_bytes(base64.b64decode(shot["data"]))
    seen = browser.call("Runtime.evaluate", expression=LOOK, returnByValue=True)["result"]["value"]
    return seen["faults"] + told(browser.events, address), seen["pictures"]


HOSTILE = '"</svg><script>alert(1)</script>","a ""b"" & \'c\'"'


def table(rows, line, head):
    """A table as CSV, from numbers that look random and are not."""
    state = 1
    lines = [head]
    for _ in range(rows):
        state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        lines.append(line(state >> 33 & 1023, state >> 43 & 1023, state >> 53))
    return "\n".join(lines) + "\n"


def made_reports(folder):
    """Reports of all kinds, over small data with names that are HTML."""
    program = ROOT / "build/release/pellucid"
    pages = []

    def run(name, *words):
        page = folder / f"{name}.html"
        subprocess.run([program, *words, "--report", page], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        pages.append(page)

    two = ["<img src=x onerror=alert(2)>", "good & 'fine'"]
    (folder / "two.csv").write_text(table(600, lambda a, b, c: f'{a},{b},{c},{two[a + b // 4 > 600]}', f"x,{HOSTILE},kind"))
    (folder / "five.csv").write_text(table(600, lambda a, b, c: f"{a},{b},class {(a + c % 90) * 5 // 1200}", "x,y,kind"))
    (folder / "numbers.csv").write_text(table(600, lambda a, b, c: f"{a},{b},{a * a // 40 + b + c % 60}", f"{HOSTILE},price"))
    run("two", "train", "two.csv", "--target", "kind", "--test", "0.2", "--epochs", "8")
    run("five", "train", "five.csv", "--target", "kind", "--epochs", "8")
    run("numbers", "train", "numbers.csv", "--target", "price", "--epochs", "8")
    run("evaluated", "evaluate", "numbers.safetensors", "numbers.csv")
    subprocess.run([program, "train", "two.csv", "--target", "kind", "--epochs", "2", "--fast", "--quiet", "--out", "other.safetensors"], cwd=folder, check=True)
    run("compared", "compare", "two.safetensors", "other.safetensors", "--data", "two.csv")
    pictures = Path("/usr/share/datasets/fashion-mnist")
    if pictures.exists():
        run("pictures", "train", str(pictures), "--epochs", "1", "--hidden", "8", "--out", "pictures.safetensors")
    return pages


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", type=Path, help="reports; none: of small models that are trained here")
    parser.add_argument("--shots", type=Path, help="a folder for screenshots")
    parser.add_argument("--chromium", default="chromium", help="the program")
    arguments = parser.parse_args()
    if arguments.shots:
        arguments.shots.mkdir(parents=True, exist_ok=True)
    folder = tempfile.TemporaryDirectory()
    pages = arguments.pages or made_reports(Path(folder.name))
    browser = Browser(arguments.chromium)
    wrong = 0
    for page in pages:
        for view in VIEWS:
            faults, pictures = look(browser, page, view, arguments.shots)
            if pictures == 0:
                faults.append("no picture at all")
            print(f"{page.name}, {view[0]}: {pictures} pictures, {len(faults)} faults")
            for fault in sorted(set(faults)):
                print("  " + fault)
            wrong += len(faults)
    browser.close()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
