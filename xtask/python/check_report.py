"""Opens reports in a headless Chromium, and uses them as a reader would.

    python check_report.py LATENTS REPORT DECODERS SHOTS

LATENTS is the release binary, REPORT what the example `report` of `latents` made, DECODERS what the example
`decoders` of `latents-report` made; screenshots go to the folder SHOTS. What the pages decode is held against the
engine: every pixel within 1/255.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from browser import Browser

VIEW = "document.querySelectorAll('.explorer')[{}].explorer.views[{}]"


def check(holds, what):
    print(f"  {'ok' if holds else 'FAILED'}  {what}")
    if not holds:
        raise SystemExit(f"the report fails: {what}")


class Reader:
    """Somebody at a browser; what was decoded before their eyes is remembered."""

    def __init__(self, browser, latents):
        self.browser, self.latents, self.seen = browser, latents, {}

    def open(self, path):
        self.browser.open(path)
        self.browser.wait("[...document.querySelectorAll('.explorer')].every(e => 'ready' in e.dataset)")
        self.browser.frame()

    def view(self, what, view=0, explorer=0):
        return self.browser.run(f"{VIEW.format(explorer, view)}.{what}")

    def bring(self, view=0, part="map"):
        self.browser.run(f"{VIEW.format(0, view)}.parts['{part}'].scrollIntoView({{block: 'center', behavior: 'instant'}})")
        self.browser.frame()

    def corner(self, view=0):
        box = f"(b => [b.x, b.y])({VIEW.format(0, view)}.parts.map.getBoundingClientRect())"
        return self.browser.run(box)

    def place_of(self, image, view=0):
        """Where an image is in the window."""
        points = f"map.toCanvas(map.points[{2 * image}], map.points[{2 * image + 1}])"
        x, y = self.browser.run(f"(({{map}}) => {points})({VIEW.format(0, view)})")
        left, top = self.corner(view)
        return left + x, top + y

    def handle(self, view=0):
        x, y = self.browser.run(f"(({{map}}) => map.toCanvas(map.handle.x, map.handle.y))({VIEW.format(0, view)})")
        left, top = self.corner(view)
        return left + x, top + y

    def shown(self, view=0):
        """The pixels of the decoded image on its canvas; they are remembered with their latent."""
        canvas = f"{VIEW.format(0, view)}.parts.decoded"
        pixels = self.browser.run(
            "(c => { const copy = document.createElement('canvas'); copy.width = c.width; copy.height = c.height;"
            " const context = copy.getContext('2d', { willReadFrequently: true }); context.drawImage(c, 0, 0);"
            f" return [...context.getImageData(0, 0, c.width, c.height).data]; }})({canvas})"
        )
        grey = np.array(pixels).reshape(-1, 4)[:, 0]
        latent = self.browser.run(f"[...{VIEW.format(0, view)}.latent]")
        self.seen.setdefault(view, []).append((latent, grey))
        return grey


def check_decoders(reader, folder):
    """Every kind of layer, on the engine's own answers; hostile texts do nothing."""
    answers = json.loads((folder / "decoders.json").read_text())
    for page in ("hostile", "given", "many"):
        reader.open(folder / page / "report.html")
        for i, answer in enumerate(answers[page]):
            latents = np.array(answer["latents"]).reshape(-1, answer["dim"])
            expected = np.array(answer["images"]).reshape(len(latents), -1)
            decode = f"[...{VIEW.format(i, 0)}.model.decode(Float32Array.from(z), {json.dumps(answer['labels'])}[k])]"
            got = reader.browser.run(f"{json.dumps(latents.tolist())}.map((z, k) => {decode})")
            worst = np.abs(np.array(got) - expected).max()
            spread = expected.std()
            check(worst < 1 / 255 and spread > 0.05, f"{page} {i}: off by {worst:.1e} at most, of {spread:.2f}")
        if page == "given":
            check_class(reader)
    classes = reader.browser.run("document.querySelectorAll('.classes').length")
    check(classes == 1, "with labels there are classes to choose")
    frames = reader.browser.run(
        f"(({{map}}) => Array.from({{length: 15}}, (_, i) => {{ map.zoom = 1 + i / 5; map.drawNow(); return map.frameTime; }}))({VIEW.format(0, 0)})"
    )
    frame = sorted(frames)[7]
    check(frame < 50, f"ten thousand points are drawn in {frame:.1f} ms")
    reader.browser.screenshot(SHOTS / "many.png")
    reader.open(folder / "hostile" / "report.html")
    classes = reader.browser.run("document.querySelectorAll('.classes').length")
    check(classes == 0, "without labels there are none")
    refused = [c for c in reader.browser.complaints if "Content Security Policy" in c]
    others = [c for c in reader.browser.complaints if c not in refused]
    # The drawing with a handler, which a figure of ours never has, is what the policy is there for.
    check(others == [] and len(refused) > 0, f"no text runs, and the policy stops what would: {others}")
    reader.browser.complaints.clear()


def check_class(reader):
    """A conditional decoder is given the class of the image, until another is chosen."""
    view = VIEW.format(0, 0)
    own = reader.browser.run(f"{view}.decodeImage(4), [...{view}.image]")
    said = reader.view("parts['decoded-caption'].textContent")
    check("Reconstruction of image 4" in said and ", as 1 " in said, f"image 4 is decoded as its class: {said}")
    choose = f"(s => {{ s.value = '2'; s.dispatchEvent(new Event('change')); }})({view}.parts.as)"
    other = reader.browser.run(f"{choose}, [...{view}.image]")
    said = reader.view("parts['decoded-caption'].textContent")
    check("Reconstruction of image 4" in said and ", as 2 " in said, f"and as the one that is chosen: {said}")
    check(np.abs(np.array(own) - np.array(other)).max() > 0.01, "which is another image")


def check_mouse(reader):
    browser = reader.browser
    reader.bring()
    # Two to four images: a strip, then grids.
    images = [3, 120, 260, 410]
    spots = []
    for image in images:
        reader.browser.run(f"(({{map}}) => {{ map.whole(); }})({VIEW.format(0, 0)})")
        browser.frame()
        x, y = reader.place_of(image)
        near = reader.view(f"map.pointNear({x - reader.corner()[0]}, {y - reader.corner()[1]})")
        spots.append(near)
        browser.click(x, y)
        browser.frame()
    picked = browser.run("document.querySelector('.explorer').explorer.picked")
    check(picked == spots and len(set(spots)) == 4, f"clicks pick {picked}")
    size = browser.run(f"(c => [c.width, c.height, c.hidden])({VIEW.format(0, 0)}.parts.traversal)")
    check(size == [7 * 29 - 1, 7 * 29 - 1, False], "four images give a grid")
    corners = browser.run(
        f"(({{parts, model, explorer}}) => {{ const d = parts.traversal.getContext('2d').getImageData(0, 0, 28, 28).data;"
        " const a = explorer.picked[0]; const z = model.latents.slice(a * model.dim, (a + 1) * model.dim);"
        f" const e = model.decode(z); return Math.max(...e.map((v, i) => Math.abs(v * 255 - d[4 * i]))); }})({VIEW.format(0, 0)})"
    )
    check(corners <= 0.51, "its first corner is the first image")
    both = reader.view("parts.traversal.hidden", 1)
    check(both is False, "the other model shows the same images")
    browser.screenshot(SHOTS / "picked.png")

    # The handle: what is under it is decoded as it moves.
    for view in (0, 1):
        reader.bring(view)
        before = reader.shown(view)
        times = []
        start = reader.handle(view)
        left, top = reader.corner(view)
        for target in ((left + 90, top + 120), (left + 260, top + 300), (left + 330, top + 210)):
            browser.drag(start, target)
            start = target
            times.append(reader.view("decodeTime", view))
            after = reader.shown(view)
        moved = reader.handle(view)
        check(np.hypot(*np.subtract(moved, target)) < 2, "the handle follows the pointer")
        check(np.abs(after - before).max() > 20, "another place is another image")
        time = sorted(times)[1]
        check(time < 5, f"an image is decoded in {time:.2f} ms")

    # Pan and zoom keep what is under the pointer.
    reader.bring()
    before = reader.place_of(7)
    # The browser knows whole pixels only.
    pointer, zoom = np.round(before), reader.view("map.zoom")
    browser.mouse("mouseWheel", *pointer.tolist(), deltaX=0, deltaY=-400)
    browser.frame()
    check(reader.view("map.zoom") > 1.5 * zoom, "the wheel zooms")
    after, zoom = reader.place_of(7), reader.view("map.zoom") / zoom
    check(np.hypot(*(after - pointer - zoom * (before - pointer))) < 0.5, "and what is under it stays")
    left, top = reader.corner()
    browser.drag((left + 40, top + 40), (left + 100, top + 70))
    shift = np.subtract(reader.place_of(7), after)
    check(np.abs(shift - (60, 30)).max() < 8, f"the map follows a drag: {shift}")
    browser.mouse("mouseMoved", *reader.place_of(7))
    browser.frame()
    tip = reader.view("parts.tip.textContent")
    check(tip.startswith("7 (") and "error" in tip, f"a hovered image is named: {tip}")
    browser.screenshot(SHOTS / "hover.png")

    # Class filter, colours, search.
    chip = "document.querySelectorAll('.chip input')"
    browser.run(f"{chip}[0].click()")
    hidden = browser.run("(e => e.labels.filter((l, i) => !e.views[0].map.visible[i]).every(l => l === 0) && e.views[1].map.visible.includes(0))(document.querySelector('.explorer').explorer)")
    check(hidden, "a class can be hidden in both maps")
    browser.run(f"{chip}[0].click()")
    browser.run("(s => { s.value = 'error'; s.dispatchEvent(new Event('change')); })(document.querySelector('[data-part=colour]'))")
    legend = browser.run("document.querySelector('[data-part=legend]').textContent")
    check("d = 16" in legend, f"errors have a legend: {legend}")
    worst = "(({map, model}) => { const i = model.errors.indexOf(Math.max(...model.errors)); return map.colours.slice(3 * i, 3 * i + 3).join(); })"
    light = browser.run(f"{worst}({VIEW.format(0, 0)})")
    browser.scheme("dark")
    browser.frame()
    dark = browser.run(f"{worst}({VIEW.format(0, 0)})")
    browser.scheme("light")
    browser.frame()
    check(light == "68,1,84" and min(map(int, dark.split(","))) > 40, f"the worst error is seen on both grounds: {light}, {dark}")
    browser.run("document.querySelector('[data-part=find]').focus()")
    browser.type("42")
    browser.key("Enter")
    browser.frame()
    check(browser.run("document.querySelector('.explorer').explorer.picked").count(42) == 1, "42 is found")
    reader.bring()
    browser.screenshot(SHOTS / "found.png")


def check_keys(reader):
    browser = reader.browser
    reader.view("explorer.drop()")
    reader.view("map.whole()")
    reader.bring()
    reader.view("parts.map.focus()")
    before, image = reader.view("map.handle"), reader.shown()
    for _ in range(9):
        browser.key("ArrowRight")
    for _ in range(6):
        browser.key("ArrowUp")
    after = reader.view("map.handle")
    check(after["x"] > before["x"] and after["y"] > before["y"], "arrows move the handle")
    check(np.abs(reader.shown() - image).max() > 5, "and decode what is under it")
    browser.key("+")
    check(reader.view("map.zoom") > 1.3, "plus zooms")
    browser.key("0")
    check(reader.view("map.zoom") == 1, "0 shows all")
    browser.key("Enter")
    check(len(reader.view("explorer.picked")) == 1, "Enter picks an image")
    browser.key("Escape")
    check(reader.view("explorer.picked") == [], "Escape drops it")
    browser.run(f"{VIEW.format(0, 0)}.sliders[0].slider.focus()")
    axis = reader.view("sliders[0].axis")
    before, image = reader.view(f"latent[{axis}]"), reader.shown()
    for _ in range(40):
        browser.key("ArrowRight")
    after = reader.view(f"latent[{axis}]")
    check(after > before, f"arrows move axis {axis}: {before:.2f} to {after:.2f}")
    check(np.abs(reader.shown() - image).max() > 2, "and decode it")
    # The first stop of the Tab key is the way past the contents, the next ones can be seen.
    browser.run("document.activeElement.blur(); scrollTo({top: 0, behavior: 'instant'})")
    browser.run("document.body.focus(); getSelection().removeAllRanges()")
    names = browser.run(
        "[...document.querySelectorAll('button, input, select, a, canvas, [tabindex]')].filter(e => !e.hidden && e.offsetParent &&"
        " !(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length || e.id === 'main')).map(e => e.outerHTML)"
    )
    check(names == [], f"everything that can be used has a name: {names}")


def check_looks(reader, page):
    browser = reader.browser
    ground = "getComputedStyle(document.body).backgroundColor"
    browser.size(1360, 900)
    browser.scheme("light")
    reader.open(page)
    check(browser.run(ground) == "rgb(255, 255, 255)", "light is white")
    browser.screenshot(SHOTS / "light.png", whole=True)
    browser.scheme("dark")
    browser.frame()
    dark = browser.run(ground)
    check(max(map(int, dark[4:-1].split(","))) < 48, f"dark is dark: {dark}")
    white = browser.run("getComputedStyle(document.querySelector('.drawing svg rect')).fill")
    check(white == dark, "drawings have the page's ground")
    corner = reader.view("map.context.getImageData(0, 0, 1, 1).data.join()")
    check(corner == "19,19,19,255", f"so has the map one of its own: {corner}")
    browser.screenshot(SHOTS / "dark.png", whole=True)
    browser.run("document.querySelector('.theme').click()")
    check(browser.run(ground) == "rgb(255, 255, 255)", "the button turns it light")
    browser.scheme("light")
    for width in (768, 360):
        browser.size(width, 800, ratio=2, mobile=width < 500)
        reader.open(page)
        over = browser.run("document.documentElement.scrollWidth - innerWidth")
        check(over <= 0, f"nothing sticks out of {width} pixels: {over}")
        browser.screenshot(SHOTS / f"narrow-{width}.png", whole=True)
    browser.size(1360, 900)
    browser.send("Emulation.setEmulatedMedia", media="print")
    browser.screenshot(SHOTS / "print.png", whole=True)
    browser.send("Emulation.setEmulatedMedia", media="")


def check_engine(reader, report):
    """What was seen on the way, decoded by the engine."""
    for view, run in enumerate(("ae-16", "ae-2")):
        seen = reader.seen[view]
        with tempfile.TemporaryDirectory() as folder:
            given, out = Path(folder, "z.npz"), Path(folder, "d.npz")
            np.savez(given, z=np.array([z for z, _ in seen], dtype=np.float32))
            call = [reader.latents, "decode", "--run", report / run, "--latents", given, "--out", out]
            subprocess.run(call, check=True, stdout=subprocess.DEVNULL)
            expected = np.load(out)["image"].reshape(len(seen), -1) * 255
        worst = max(np.abs(e - pixels).max() for e, (_, pixels) in zip(expected, seen))
        # A canvas holds whole numbers: half of one is lost beyond what the decoder loses.
        check(worst <= 1.0, f"{run}: {len(seen)} images are the engine's within {worst:.2f}/255")


def main(latents, report, decoders):
    with Browser() as browser:
        browser.size(1360, 900)
        reader = Reader(browser, latents)
        check_decoders(reader, decoders)
        reader.open(report / "report.html")
        check_mouse(reader)
        check_keys(reader)
        check_looks(reader, report / "report.html")
        check_engine(reader, report)
        check(browser.complaints == [], f"nothing was complained of: {browser.complaints}")
        outside = [url for url in browser.requests if not url.startswith(("file:", "data:", "about:"))]
        check(outside == [], f"nothing was asked of the network: {outside}")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    LATENTS, REPORT, DECODERS, SHOTS = (Path(argument).resolve() for argument in sys.argv[1:])
    main(LATENTS, REPORT, DECODERS)
