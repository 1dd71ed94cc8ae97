"""IDX files, the format of MNIST and Fashion-MNIST: unsigned bytes behind a big-endian header."""

import gzip
import struct
from pathlib import Path

import numpy as np

FILES = {
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("test", "images"): "t10k-images-idx3-ubyte",
    ("test", "labels"): "t10k-labels-idx1-ubyte",
}


def read(folder: str | Path, split: str, kind: str) -> np.ndarray:
    """Reads one of the four standard files, gzipped or not, as an array of bytes."""
    path = Path(folder) / FILES[split, kind]
    if path.exists():
        data = path.read_bytes()
    else:
        data = gzip.decompress(Path(f"{path}.gz").read_bytes())
    zeros, element, rank = struct.unpack(">HBB", data[:4])
    if zeros != 0 or element != 0x08:
        raise ValueError(f"{path}: not an IDX file of unsigned bytes")
    shape = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def write(folder: str | Path, split: str, kind: str, array: np.ndarray) -> None:
    """Writes one of the four standard files, not gzipped."""
    header = struct.pack(">HBB", 0, 0x08, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    path = Path(folder) / FILES[split, kind]
    path.write_bytes(header + np.ascontiguousarray(array, np.uint8).tobytes())
