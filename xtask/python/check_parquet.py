"""Pictures in Parquet, as Hugging Face's `datasets` writes them, are the same images as their IDX files: the same digest, and the same
weights after an epoch. Made of the sample of Fashion-MNIST, and of the whole if it is on this machine: check_parquet.py LATENTS SAMPLE."""

import gzip
import json
import os
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

latents, sample = sys.argv[1], Path(sys.argv[2]).resolve()
whole = Path("/usr/share/datasets/fashion-mnist")
CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


def idx(path):
    with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
        data = file.read()
    rank = data[3]
    shape = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def png(image):
    """A grey PNG of 8 bits."""
    height, width = image.shape

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.tobytes() for row in image)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


def shards(folder, part, images, labels, count):
    features = {"image": {"_type": "Image"}, "label": {"names": CLASSES, "_type": "ClassLabel"}}
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    for shard in range(count):
        rows = range(shard * len(images) // count, (shard + 1) * len(images) // count)
        pictures = pa.array([{"bytes": png(images[i]), "path": None} for i in rows], kind)
        table = pa.table({"image": pictures, "label": pa.array(labels[rows.start : rows.stop].astype(np.int64))})
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        pq.write_table(table, folder / f"{part}-{shard:05}-of-{count:05}.parquet", row_group_size=1000)


def check(source, count):
    def find(part, kind):
        return next(path for path in source.iterdir() if path.name.startswith(f"{part}-{kind}-idx"))

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "data"
        folder.mkdir()
        for name, part in [("train", "train"), ("t10k", "test")]:
            shards(folder, part, idx(find(name, "images")), idx(find(name, "labels")), count)

        def call(*arguments):
            environment = {**os.environ, "LATENTS_CACHE": scratch, "LATENTS_OFFLINE": "1"}
            done = subprocess.run([latents, *arguments], check=True, capture_output=True, text=True, cwd=scratch, env=environment)
            return done.stdout

        shown = json.loads(call("data", "show", str(folder), "--json"))
        assert [c["name"] for c in shown["classes"]] == CLASSES, shown["classes"]
        for name, data in [("idx", f"idx:{source}"), ("parquet", str(folder))]:
            call("train", "ae", "--data", data, "--epochs", "1", "--out", name)
        configs = [(Path(scratch) / name / "config.toml").read_text() for name in ("idx", "parquet")]
        digests = [line for config in configs for line in config.splitlines() if line.startswith("digest")]
        assert len(digests) == 2 and digests[0] == digests[1], digests
        models = [(Path(scratch) / name / "model.safetensors").read_bytes() for name in ("idx", "parquet")]
        assert models[0] == models[1], "the weights differ"
        print(f"parquet: {shown['train']} + {shown['test']} pictures are those of the IDX files")


check(sample, 2)
if whole.is_dir():
    check(whole, 4)
