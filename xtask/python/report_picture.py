"""Draws the README's picture of a report: its explorer, in a headless Chromium.

    python report_picture.py runs/study/report.html docs/report.png
"""

import sys

from browser import Browser

WIDTH, HEIGHT = 1240, 1113

with Browser() as browser:
    browser.size(WIDTH, HEIGHT)
    browser.scheme("light")
    browser.open(sys.argv[1])
    browser.wait("[...document.querySelectorAll('.explorer')].every(e => 'ready' in e.dataset)")
    browser.run("document.querySelector('#explore').scrollIntoView({block: 'start', behavior: 'instant'})")
    browser.screenshot(sys.argv[2])
