"""Measures torchvision: JPEG files decoded and brought to 64 x 64, by two worker processes of a loader and by two threads.

usage: bench_decode.py FOLDER

Prints a line of JSON: pictures a second of both, and of the faster.
"""

import concurrent.futures
import json
import pathlib
import sys
import time

import torch
import torchvision
from torchvision.io import ImageReadMode, decode_jpeg, read_file
from torchvision.transforms.v2.functional import resize

WORKERS = 2


class Pictures(torch.utils.data.Dataset):
    def __init__(self, folder):
        self.files = sorted(str(path) for path in folder.glob("*.jpg"))

    def __len__(self):
        return len(self.files)

    def __getitem__(self, i):
        picture = decode_jpeg(read_file(self.files[i]), mode=ImageReadMode.RGB)
        return resize(picture, [64, 64], antialias=True)


def by_loader(pictures):
    loader = torch.utils.data.DataLoader(pictures, batch_size=128, num_workers=WORKERS)
    return torch.cat(list(loader))


def by_threads(pictures):
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        return torch.stack(list(pool.map(pictures.__getitem__, range(len(pictures)))))


def main():
    torch.set_num_threads(1)
    pictures = Pictures(pathlib.Path(sys.argv[1]))
    line = {"torchvision": torchvision.__version__}
    for name, way in [("loader", by_loader), ("threads", by_threads)]:
        start = time.perf_counter()
        assert way(pictures).shape == (len(pictures), 3, 64, 64)
        line[name] = len(pictures) / (time.perf_counter() - start)
    line["pictures_per_second"] = max(line["loader"], line["threads"])
    print(json.dumps(line))


main()
