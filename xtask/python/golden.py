"""What the scripts that make golden files share.

Every tensor in a golden file is f32. PyTorch computes in f64 from values that f32 represents
exactly, and only the results are rounded. The safetensors header's metadata has one key, `case`, a
JSON object that says what was computed.
"""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

GOLDEN = Path(__file__).resolve().parents[2] / "crates/latents-engine/tests/golden"


def exact(values):
    """The nearest values that f32 represents, as f64."""
    return values.float().double()


def normal(generator, shape, std=1.0):
    return exact(std * torch.randn(shape, generator=generator, dtype=torch.float64))


def save(name, tensors, case):
    arrays = {key: t.detach().float().contiguous().numpy() for key, t in tensors.items()}
    assert all(np.isfinite(array).all() for array in arrays.values()), name
    # One key of metadata only: the writer shuffles them, and the same case must give the same bytes.
    case = case | {"torch": torch.__version__.split("+")[0]}
    path = GOLDEN / f"{name}.safetensors"
    save_file(arrays, path, {"case": json.dumps(case)})
    path.chmod(0o644)
