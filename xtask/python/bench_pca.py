"""Makes rows with the spectrum of photographs, and measures scikit-learn's principal components on them: `bench_pca.py FOLDER`. The rows are
written as 32-bit floats, `FOLDER/pca-ROWS.f32`, for `cargo bench -p latents-explore --bench pca`. Needs NumPy and scikit-learn."""

import pathlib
import sys
import time

import numpy as np
from sklearn.decomposition import PCA

# Rows, channels, side, and the solvers that are worth a try.
SHAPES = [
    (48_000, 1, 28, ["covariance_eigh", "randomized", "arpack"]),
    (1_500, 3, 64, ["full", "randomized", "arpack"]),
    (100_000, 3, 32, ["covariance_eigh", "randomized"]),
]


def fields(n, channels, side, seed):
    """Random fields [n, channels * side * side] in 0 to 1 whose amplitudes fall with the frequency to the power of 1.3."""
    random = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    frequency[0, 0] = 0.5 / side
    rows = np.empty((n, channels * side * side), "f4")
    for start in range(0, n, 500):
        count = min(500, n - start)
        noise = np.fft.fft2(random.standard_normal((count, channels, side, side)))
        field = np.fft.ifft2(noise / frequency**1.3).real
        field = 0.5 * field + 0.5 * field[:, :1]
        field /= 5 * field.std((2, 3), keepdims=True).mean()
        rows[start : start + count] = np.clip(field + 0.5, 0, 1).reshape(count, -1)
    return rows


folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for n, channels, side, solvers in SHAPES:
    rows = fields(n, channels, side, 1)
    rows.tofile(folder / f"pca-{n}.f32")
    for solver in solvers:
        for _ in range(3):
            start = time.perf_counter()
            pca = PCA(64, svd_solver=solver, random_state=0).fit(rows)
            seconds, share = time.perf_counter() - start, pca.explained_variance_ratio_.sum()
            print(f"{n} x {rows.shape[1]}  {solver}  {seconds:.3f} s  {share:.6f}", flush=True)
