"""Makes the files in `golden/`, which `reads.rs` reads. Needs pyarrow 26, pandas 3, datasets 5 and pillow; run it in this folder."""

import io
import json
from decimal import Decimal

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

OUT = "golden/"


def types():
    """Every kind of column, with missing values, in two row groups of three rows; then with other encodings, page versions and codecs."""
    table = pa.table({
        "text": pa.array(["a", "ä", None, "", "b", "b"]),
        "large": pa.array(["x", None, "y", "z", "x", "x"], pa.large_string()),
        "category": pa.array(["cat", "dog", "cat", None, "dog", "dog"]).dictionary_encode(),
        "bytes": pa.array([b"\x00\xff", None, b"", b"abc", b"d", b"e"]),
        "fixed": pa.array([b"ab", b"cd", None, b"ef", b"gh", b"ij"], pa.binary(2)),
        "bool": pa.array([True, False, None, True, True, False]),
        "i8": pa.array([-128, 127, None, 0, 1, 2], pa.int8()),
        "u8": pa.array([0, 255, None, 1, 2, 3], pa.uint8()),
        "i16": pa.array([-32768, 32767, None, 0, 1, 2], pa.int16()),
        "u32": pa.array([0, 4294967295, None, 1, 2, 3], pa.uint32()),
        "i64": pa.array([-(2**63), 2**63 - 1, None, 0, 1, 2]),
        "u64": pa.array([0, 2**63 - 1, None, 1, 2, 3], pa.uint64()),
        "f16": pa.array(np.array([1.5, -2.0, 0.0, 0.25, 65504, 1e-7], np.float16)),
        "f32": pa.array([1.5, None, -0.1, 3e38, float("inf"), 0.0], pa.float32()),
        "f64": pa.array([1.5, None, -0.1, 1e308, float("-inf"), 0.0]),
        "struct": pa.array([{"a": 1, "b": {"c": "x"}}, None, {"a": None, "b": None}, {"a": 4, "b": {"c": None}}, {"a": 5, "b": {"c": "y"}}, {"a": 6, "b": {"c": "z"}}]),
        "list": pa.array([[1.0, 2.0], [], None, [3.0], [4.0, 5.0, 6.0], [7.0]]),
        "vector": pa.array([[1, 2], [3, 4], None, [5, 6], [7, 8], [9, 10]], pa.list_(pa.float32(), 2)),
        "ints": pa.array([[1], [2, 3], None, [], [-4], [5]], pa.list_(pa.int16())),
        "holes": pa.array([[1.0, None], [None], [], [2.0], [], []]),
        "empty": pa.nulls(6),
        "date": pa.array([1, 2, 3, 4, 5, 6], pa.date32()),
        "time": pa.array([1, 2, 3, 4, 5, 6], pa.timestamp("us")),
        "decimal": pa.array([Decimal("1.5")] * 6),
        "texts": pa.array([["a"], [], None, ["b", "c"], [], []]),
        "deep": pa.array([[[1.0]], [], None, [[2.0], []], [], []]),
    })
    pq.write_table(table, OUT + "types.parquet", row_group_size=3)
    plain = dict(compression="none", use_dictionary=False, data_page_version="2.0", version="2.6")
    pq.write_table(table, OUT + "plain_v2.parquet", **plain)
    delta = {"text": "DELTA_BYTE_ARRAY", "large": "DELTA_LENGTH_BYTE_ARRAY", "i64": "DELTA_BINARY_PACKED", "f64": "BYTE_STREAM_SPLIT"}
    some = table.select(["text", "large", "i64", "f64"])
    pq.write_table(some, OUT + "delta.parquet", compression="gzip", use_dictionary=False, column_encoding=delta)
    pq.write_table(some, OUT + "zstd.parquet", compression={"text": "zstd", "large": "lz4", "i64": "snappy", "f64": "none"})
    unsigned = pa.table({"u64": pa.array([2**64 - 1], pa.uint64())})
    pq.write_table(unsigned, OUT + "too_large.parquet")
    pq.write_table(table.slice(0, 0), OUT + "no_rows.parquet")


def many():
    """Rows over several pages and row groups, so that batches end anywhere."""
    n = 1000
    table = pa.table({
        "i": pa.array(range(n)),
        "name": pa.array([f"{i:04}.png" if i % 7 else None for i in range(n)]),
        "z": pa.array([[float(i), float(i) / 2] if i % 11 else None for i in range(n)], pa.list_(pa.float32())),
    })
    pq.write_table(table, OUT + "many.parquet", row_group_size=300, data_page_size=200, write_batch_size=50, compression="snappy")


def pictures():
    """Pictures with labels as Hugging Face writes them."""
    def png(value):
        out = io.BytesIO()
        Image.fromarray(np.full((2, 3), value, np.uint8)).save(out, "png")
        return {"bytes": out.getvalue(), "path": f"{value}.png"}

    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    rows = {"image": [png(7), png(8), png(9)], "label": [1, 0, 1]}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(OUT + "pictures.parquet")


def frames():
    """The same frame as CSV and as Parquet with an index, by pandas."""
    frame = pd.DataFrame({"name": ["a", "b,c", None], "label": [3, 1, 2], "z0": [0.1, np.nan, 1e-30], "ok": [True, False, True]}, index=[7, 8, 9])
    frame.to_parquet(OUT + "frame.parquet")
    frame.to_csv(OUT + "frame.csv")
    frame.to_csv(OUT + "frame.tsv", sep="\t", index=False)
    frame.drop(columns="ok").to_json(OUT + "frame.jsonl", orient="records", lines=True)


if __name__ == "__main__":
    types()
    many()
    pictures()
    frames()
