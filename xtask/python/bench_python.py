"""Measures the Python package beside its peers and beside the command, for `cargo xtask versus python`; prints tables of Markdown.

    python xtask/python/bench_python.py --command target/release/latents --rounds 3
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import openTSNE
from sklearn.datasets import load_digits
from sklearn.manifold import TSNE, trustworthiness

import latents

parser = argparse.ArgumentParser()
parser.add_argument("--command", required=True, help="the binary of the command")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--source", default="fashion-mnist")
options = parser.parse_args()
latents.set_progress(False)


def seconds(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def maps(name, X):
    """Seconds, divergence and trustworthiness of the maps of three programs, in turn."""
    X = np.ascontiguousarray(X, dtype=np.float32)
    programs = {
        "latents": lambda: (lambda t: (t.embedding_, t.kl_divergence_))(latents.TSNE(random_state=1).fit(X)),
        "scikit-learn": lambda: (lambda t: (t.embedding_, t.kl_divergence_))(TSNE(random_state=1, n_jobs=-1).fit(X)),
        "openTSNE": lambda: (lambda m: (np.asarray(m), m.kl_divergence))(openTSNE.TSNE(random_state=1, n_jobs=-1).fit(X)),
    }
    times = {program: [] for program in programs}
    found = {}
    for round in range(options.rounds):
        for program, work in programs.items():
            took, found[program] = seconds(work)
            times[program].append(took)
    print(f"\n| t-SNE of {name}, {len(X):,} x {X.shape[1]} | latents | scikit-learn | openTSNE |\n|---|---|---|---|")
    best = {program: median(all) for program, all in times.items()}
    print("| seconds | " + " | ".join(f"{best[p]:.2f} ({best[p] / best['latents']:.1f} x)" for p in programs) + " |")
    print("| KL | " + " | ".join(f"{found[p][1]:.3f}" for p in programs) + " |")
    scores = [trustworthiness(X[:5000], found[p][0][:5000], n_neighbors=10) for p in programs]
    print("| trustworthiness of 10 neighbours | " + " | ".join(f"{score:.4f}" for score in scores) + " |", flush=True)


def beside_the_command():
    """Training and encoding by the package and by the command, in turn: the whole process of each."""
    train = ["--latent-dim", "32", "--epochs", "12", "--seed", "1"]
    ours = [sys.executable, "-c", f"import latents; latents.Autoencoder(latent_dim=32, epochs=12, seed=1).fit(latents.open({options.source!r}), out='python')"]
    theirs = [options.command, "train", "ae", "--data", options.source, *train, "--out", "command"]
    # So many images that starting Python is a small part.
    encode = [sys.executable, "-c", "import latents, numpy; numpy.savez('p.npz', z=latents.load('python').encode(numpy.load('large.npz')['image']))"]
    encodes = [options.command, "encode", "--run", "command", "--data", "large.npz", "--out", "c.npz"]
    times = {"train": ([], []), "encode": ([], [])}
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "large.npz", image=np.tile(np.asarray(latents.open(options.source).train)[:, 0], (20, 1, 1)))
        for _ in range(options.rounds):
            subprocess.run(["rm", "-rf", "python", "command"], cwd=folder, check=True)
            for what, pair in (("train", (ours, theirs)), ("encode", (encode, encodes))):
                for place, call in enumerate(pair):
                    took, _ = seconds(lambda call=call: subprocess.run(call, cwd=folder, check=True, capture_output=True))
                    times[what][place].append(took)
        same = (Path(folder) / "python/model.safetensors").read_bytes() == (Path(folder) / "command/model.safetensors").read_bytes()
    print(f"\n| {options.source}, whole processes | Python, s | command, s | ratio |\n|---|---|---|---|")
    for what, (python, command) in times.items():
        print(f"| {what} | {median(python):.2f} | {median(command):.2f} | {median(python) / median(command):.3f} |")
    print(f"\nthe same bytes: {same}", flush=True)


def large_array():
    """The memory that the latents of a large array take, beyond the array and the latents."""
    images = np.asarray(latents.open("fashion-mnist-sample").train)
    model = latents.Autoencoder(latent_dim=8, epochs=1).fit(images)
    large = np.tile(images, (1 + 10**9 // images.nbytes, 1, 1, 1))
    model.encode(large[:20000])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    took, z = seconds(lambda: model.encode(large))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 - z.nbytes
    print(f"\n| latents of {large.nbytes / 1e9:.2f} GB of bytes | |\n|---|---|\n| memory beyond the array and the latents | {max(grown, 0) / 1e6:.1f} MB |")
    print(f"| images/s | {len(large) / took:,.0f} |", flush=True)


def importing():
    code = "import time; t = time.perf_counter(); import latents; print(time.perf_counter() - t)"
    times = [float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout) for _ in range(10)]
    print(f"\nimport latents: {1000 * median(times):.0f} ms")


print(json.dumps({"python": sys.version.split()[0], "openTSNE": openTSNE.__version__, "latents": latents.__version__}))
importing()
maps("the digits", load_digits().data)
data = latents.open(options.source)
model = latents.Autoencoder(latent_dim=32, epochs=4, seed=1).fit(data)
maps("latents of test images", model.encode(data.test))
beside_the_command()
large_array()
