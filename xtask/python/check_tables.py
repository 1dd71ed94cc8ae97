"""Reads what the example `tables` of latents-tables wrote, by pandas and pyarrow.

Usage: check_tables.py FOLDER"""

import math
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

folder = Path(sys.argv[1])
f32 = lambda x: pa.scalar(x, pa.float32()).as_py()
expected = {
    "text": (pa.string(), ["a", None, 'ä, "b"\nc']),
    "f32": (pa.float32(), [f32(0.1), None, f32(-1e-30)]),
    "f64": (pa.float64(), [0.1, None, math.inf]),
    "i64": (pa.int64(), [-(2**63), None, 7]),
    "bool": (pa.bool_(), [True, None, False]),
    "bytes": (pa.binary(), [b"\x00\xff", None, b""]),
    "f32s": (pa.list_(pa.float32()), [[0.5, 1.5], None, []]),
    "f64s": (pa.list_(pa.float64()), [[0.1], None, [0.2, 0.3]]),
    "i64s": (pa.list_(pa.int64()), [[1, 2, 3], None, [-4]]),
}
table = pq.read_table(folder / "table.parquet")
assert table.column_names == list(expected), table.column_names
for name, (kind, values) in expected.items():
    column = table[name]
    found = column.type.value_type if pa.types.is_list(column.type) else column.type
    wanted = kind.value_type if pa.types.is_list(kind) else kind
    assert found == wanted, (name, column.type)
    assert column.to_pylist() == values, (name, column.to_pylist())
frame = pd.read_parquet(folder / "table.parquet")
assert frame["text"].tolist()[2] == 'ä, "b"\nc' and frame["i64s"][0].tolist() == [1, 2, 3]

frame = pd.read_csv(folder / "table.csv", dtype_backend="numpy_nullable")
assert frame.columns.tolist() == ["text", "f32", "f64", "i64", "bool"]
for name in frame:
    values = [None if pd.isna(x) else x for x in frame[name]]
    if name == "f32":
        values = [None if x is None else f32(x) for x in values]
    assert values == expected[name][1], (name, values)
print("check_tables: pandas and pyarrow read every kind of column")
