"""Makes JPEG files of 512 x 512 pixels: crops of pictures with noise of every size, as photographs have, and discs with sharp edges.

usage: make_jpegs.py FOLDER COUNT
"""

import pathlib
import sys

import numpy as np
from PIL import Image

SIDE, LARGE = 512, 2048


def picture(random):
    """A picture of which crops are taken, `[h, w, 3]`."""
    values = np.full((LARGE, LARGE, 3), 128, np.float32)
    for cells in (16, 32, 64, 128, 256, 512, 1024):
        # The amplitude falls with the frequency as it does in photographs.
        grid = random.normal(size=(cells, cells, 3)).astype(np.float32) * 920 / cells**0.85
        for c in range(3):
            layer = Image.fromarray(grid[..., c]).resize((LARGE, LARGE), Image.Resampling.BICUBIC)
            values[..., c] += np.asarray(layer)
    y, x = np.mgrid[:LARGE, :LARGE]
    for _ in range(60):
        middle_y, middle_x, radius = random.uniform(0, [LARGE, LARGE, 128])
        disc = (y - middle_y) ** 2 + (x - middle_x) ** 2 < radius**2
        values[disc] = 0.3 * values[disc] + random.uniform(0, 180, 3)
    return values.clip(0, 255).astype(np.uint8)


def main():
    folder, count = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(1)
    for i in range(count):
        if i % 500 == 0:
            large = picture(random)
        y, x = random.integers(0, LARGE - SIDE, 2)
        crop = Image.fromarray(large[y : y + SIDE, x : x + SIDE])
        crop.save(folder / f"{i:05}.jpg", quality=90)


main()
