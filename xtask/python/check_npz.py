"""Checks with NumPy alone that what `latents` writes can be read, and means what it should.

    python xtask/python/check_npz.py target/release/latents

Trains a small autoencoder on the compiled-in sample and one on IDX files that this script writes,
then for each: shapes and types of the arrays in the NPZ files, that decoding the latents gives the
reconstructions (to 1e-6), and that a forward pass written in NumPy, on the tensors of
`model.safetensors`, gives the same latents and reconstructions (to 1e-5).
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

import idx

LATENT_DIM = 8
# NumPy is slow: it repeats only so many images of a split.
REPEATED = 256


# --- The autoencoder in NumPy, in f64 -------------------------------------------------------------


def conv2d(x, weight, bias, stride, padding):
    """PyTorch's Conv2d: x [n, c, h, w], weight [out, in, kernel, kernel]."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], (2, 3))
    windows = windows[:, :, ::stride, ::stride]
    return np.einsum("nchwij,ocij->nohw", windows, weight, optimize=True) + bias[:, None, None]


def conv_transpose2d(x, weight, bias, stride, padding):
    """PyTorch's ConvTranspose2d: each pixel adds its weighted kernel; weight [in, out, k, k]."""
    n, _, h, w = x.shape
    kernel_h, kernel_w = weight.shape[2:]
    full = np.zeros((n, weight.shape[1], (h - 1) * stride + kernel_h, (w - 1) * stride + kernel_w))
    for i in range(kernel_h):
        for j in range(kernel_w):
            stop = (i + (h - 1) * stride + 1, j + (w - 1) * stride + 1)
            full[:, :, i : stop[0] : stride, j : stop[1] : stride] += np.einsum(
                "nchw,co->nohw", x, weight[:, :, i, j]
            )
    inner = slice(padding, -padding or None)
    return full[:, :, inner, inner] + bias[:, None, None]


def relu(x):
    return np.maximum(x, 0.0)


def encode(weights, x):
    def parameters(index):
        return weights[f"encoder.{index}.weight"], weights[f"encoder.{index}.bias"]

    x = relu(conv2d(x, *parameters(0), stride=2, padding=1))
    x = relu(conv2d(x, *parameters(2), stride=2, padding=1))
    x = conv2d(x, *parameters(4), stride=2, padding=0)
    weight, bias = parameters(6)
    x = relu(x.reshape(len(x), -1) @ weight.T + bias)
    weight, bias = parameters(9)
    return x @ weight.T + bias


def decode(weights, z):
    def parameters(index):
        return weights[f"decoder.{index}.weight"], weights[f"decoder.{index}.bias"]

    for index in (0, 3):
        weight, bias = parameters(index)
        z = relu(z @ weight.T + bias)
    x = z.reshape(len(z), 32, 3, 3)
    x = relu(conv_transpose2d(x, *parameters(7), stride=2, padding=0))
    x = relu(conv_transpose2d(x, *parameters(9), stride=2, padding=1))
    x = conv_transpose2d(x, *parameters(11), stride=2, padding=1)
    return 1.0 / (1.0 + np.exp(-x))


# --- The checks -----------------------------------------------------------------------------------


def check(holds, what):
    if not holds:
        raise SystemExit(f"FAILED: {what}")
    print(f"  ok: {what}")


def check_close(got, expected, tolerance, what):
    scale = max(1.0, np.abs(expected).max())
    difference = np.abs(got - expected).max() / scale
    check(difference <= tolerance, f"{what}: {difference:.1e} of {scale:.3g} (at most {tolerance})")


def check_run(latents, data, folder, images=None, labels=None):
    """Trains on `data`; `images` [n, 1, 28, 28] are the test images where they are known."""
    run = folder / "run"

    def call(*arguments):
        done = subprocess.run([latents, *arguments], text=True, stdout=subprocess.PIPE)
        if done.returncode != 0:
            raise SystemExit(f"`latents {' '.join(map(str, arguments))}`: {done.returncode}")

    print(f"training on {data}")
    # NumPy repeats the layers of this design.
    size = ["--design", "study", "--epochs", "1", "--latent-dim", str(LATENT_DIM), "--train-limit", "512"]
    call("train", "ae", "--data", data, *size, "--seed", "1", "--out", run)
    z_path, r_path, d_path = (folder / name for name in ("z.npz", "r.npz", "d.npz"))
    call("encode", "--run", run, "--split", "test", "--out", z_path)
    call("reconstruct", "--run", run, "--split", "test", "--out", r_path)
    call("decode", "--run", run, "--latents", z_path, "--out", d_path)

    # Pickled objects are refused by default, so loading shows that these are plain arrays.
    encoded = np.load(z_path)
    z, label = encoded["z"], encoded["label"]
    image, decoded = np.load(r_path)["image"], np.load(d_path)["image"]
    n = len(z)
    check(z.dtype == np.float32 and z.shape == (n, LATENT_DIM) and n > 0, f"z is f32 {z.shape}")
    check(image.dtype == np.float32 and image.shape == (n, 1, 28, 28), f"image {image.shape}")
    check(decoded.dtype == np.float32 and decoded.shape == image.shape, "decoded has its shape")
    check(image.min() >= 0.0 and image.max() <= 1.0, "pixels lie in [0, 1]")
    classes = sorted({int(value) for value in label})
    check(label.shape == (n,) and classes == list(range(10)), f"labels are {classes}")
    check_close(decoded, image, 1e-6, "decoded latents are the reconstructions")

    weights = {k: v.astype(np.float64) for k, v in load_file(run / "model.safetensors").items()}
    some_z, some_images = z[:REPEATED].astype(np.float64), image[:REPEATED]
    check_close(decode(weights, some_z), some_images, 1e-5, "NumPy's decoder agrees")
    check(z.std(axis=0).max() > 1e-3, "the latents differ from image to image")
    if images is not None:
        check(np.array_equal(label, labels), "labels are those of the file, in order")
        ours = encode(weights, images[:REPEATED])
        check_close(ours, some_z, 1e-5, "NumPy's encoder agrees")
        check_close(decode(weights, ours), some_images, 1e-5, "NumPy's whole pass agrees")

    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    check(len(lines) == 1 and lines[0]["epoch"] == 1, "metrics.jsonl has one line for one epoch")
    check(0.0 < lines[0]["val_loss"] < 0.5, f"its val_loss is {lines[0]['val_loss']:.4f}")


def write_data_set(folder):
    """Bright boxes on noise, ten classes by the box's place, as the four IDX files."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for split, n in [("train", 640), ("test", 100)]:
        labels = random.integers(0, 10, n)
        images = random.integers(0, 64, (n, 28, 28))
        for image, label in zip(images, labels):
            image[8:20, 2 * label : 2 * label + 8] += random.integers(64, 192)
        idx.write(folder, split, "images", images)
        idx.write(folder, split, "labels", labels)
    return images[:, None] / 255.0, labels


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("latents", type=Path, help="the release binary")
    latents = parser.parse_args().latents.resolve()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in ("sample", "boxes"):
            (folder / name).mkdir()
        check_run(latents, "fashion-mnist-sample", folder / "sample")
        images, labels = write_data_set(folder / "idx")
        check_run(latents, f"idx:{folder / 'idx'}", folder / "boxes", images, labels)


if __name__ == "__main__":
    main()
