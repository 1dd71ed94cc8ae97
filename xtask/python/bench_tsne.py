"""Maps an array by openTSNE and prints one line of JSON, for `cargo xtask versus tsne`.

    python xtask/python/bench_tsne.py --latents z.npz --threads 2 --out map.npz
"""

import argparse
import json
import resource
import time

import numpy as np
import openTSNE

parser = argparse.ArgumentParser()
parser.add_argument("--latents", required=True)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--out")
options = parser.parse_args()

z = np.load(options.latents)["z"]
start = time.perf_counter()
map_ = openTSNE.TSNE(n_jobs=options.threads, random_state=1).fit(z)
seconds = time.perf_counter() - start
if options.out:
    np.savez(options.out, xy=np.asarray(map_, dtype=np.float32))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(
    json.dumps(
        {
            "openTSNE": openTSNE.__version__,
            "seconds": round(seconds, 3),
            "kl": float(map_.kl_divergence),
            "peak_rss_mib": peak,
        }
    )
)
