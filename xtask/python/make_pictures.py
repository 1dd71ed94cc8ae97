"""Writes PNG files for `cargo xtask versus components`.

usage: make_pictures.py digits FOLDER
       make_pictures.py patches PHOTOGRAPHS FOLDER

`digits` writes scikit-learn's 1,797 digits of 8 x 8. `patches` cuts 3,000 squares of 64 x 64 out of photographs, which are brought to a
shorter side of 512 before.
"""

import pathlib
import sys

import numpy as np
from PIL import Image

PATCHES, SIDE, SHORTER = 3000, 64, 512


def digits(folder):
    from sklearn.datasets import load_digits

    for i, digit in enumerate(load_digits().images):
        Image.fromarray((digit * 255 / 16).round().astype(np.uint8)).save(folder / f"{i:04}.png")


def patches(photographs, folder):
    draw = np.random.default_rng(1)
    endings = {".jpg", ".jpeg", ".png"}
    files = sorted(f for f in pathlib.Path(photographs).rglob("*") if f.suffix in endings)
    pictures = []
    for file in files:
        picture = Image.open(file).convert("RGB")
        scale = SHORTER / min(picture.size)
        size = [round(side * scale) for side in picture.size]
        pictures.append(picture.resize(size, Image.Resampling.LANCZOS))
    for i in range(PATCHES):
        picture = pictures[i % len(pictures)]
        x, y = (int(draw.integers(0, side - SIDE + 1)) for side in picture.size)
        picture.crop((x, y, x + SIDE, y + SIDE)).save(folder / f"{i:04}.png")


def main():
    what, *places = sys.argv[1:]
    folder = pathlib.Path(places[-1])
    folder.mkdir(parents=True, exist_ok=True)
    if what == "digits":
        digits(folder)
    else:
        patches(places[0], folder)


main()
