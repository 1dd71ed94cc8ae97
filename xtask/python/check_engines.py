"""Checks that a model works on the engines that spread work over machines, with a worker that is killed in the middle.

    python check_engines.py [--images N] [ENGINE ...]

ENGINE is `ray`, `dask` or `spark` (which needs Java); without any, Ray and Dask. Each encodes the same pictures with two workers, of which one is killed once. Its
Parquet files must have the same rows as the one that the command writes in one process. The functions are those of the book's page on many machines.
"""

import argparse
import glob
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import latents
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def check(holds, what):
    print(f"  {'ok' if holds else 'FAILED'}: {what}", flush=True)
    if not holds:
        sys.exit(1)


def die_once(marker):
    """Kills this process, if no other has been killed."""
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def on_ray(run, photos, out, marker):
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False

    class Encode:
        def __init__(self, run):
            latents.set_threads(1)  # as many as num_cpus
            self.model = latents.load(run)
            self.batches = 0

        def __call__(self, batch):
            self.batches += 1
            if self.batches == 3:
                die_once(marker)
            return {"name": batch["path"], "z": self.model.encode(batch["image"])}

    ray.init(num_cpus=4, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    try:
        data = ray.data.read_images(str(photos), mode="L", include_paths=True)
        encoded = data.map_batches(Encode, fn_constructor_args=[str(run)], compute=ray.data.ActorPoolStrategy(size=2), num_cpus=1, batch_size=256)
        encoded.write_parquet(str(out))
    finally:
        ray.shutdown()
    return pq.read_table(out)


def on_dask(run, photos, out, marker):
    from dask.distributed import Client, LocalCluster

    def encode(files, index):
        model = latents.load(run)
        images = np.stack([np.asarray(Image.open(file).convert("L")) for file in files])
        if index == 3:
            die_once(marker)
        table = pa.table({"name": files, "z": list(model.encode(images))})
        pq.write_table(table, out / f"part-{index:05}.parquet")
        return len(files)

    out.mkdir()
    # Dask starts its processes with "spawn", so that each has threads of its own.
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        files = sorted(glob.glob(f"{photos}/*.png"))
        pieces = [files[i : i + 256] for i in range(0, len(files), 256)]
        done = client.gather(client.map(encode, pieces, range(len(pieces)), pure=False))
        check(sum(done) == len(files), "Dask says that it encoded all")
    return pq.read_table(out)


def on_spark(run, photos, out, marker):
    from pyspark.sql import SparkSession

    def encode(rows):
        import io

        model = latents.load(run)
        batch = []

        def encoded():
            images = np.stack([np.asarray(Image.open(io.BytesIO(row.content)).convert("L")) for row in batch])
            return zip([row.path for row in batch], model.encode(images).tolist())

        for i, row in enumerate(rows):
            batch.append(row)
            if i == 20:
                die_once(marker)
            if len(batch) == 256:
                yield from encoded()
                batch.clear()
        if batch:
            yield from encoded()

    # Spark on one machine does not repeat a failed task unless it is told how often to try.
    spark = SparkSession.builder.master("local[2,4]").config("spark.ui.enabled", "false").config("spark.ui.showConsoleProgress", "false").getOrCreate()
    try:
        files = spark.read.format("binaryFile").load(str(photos)).select("path", "content")
        files.rdd.mapPartitions(encode).toDF(["name", "z"]).write.parquet(str(out))
    finally:
        spark.stop()
    return pq.read_table(out)


ENGINES = {"ray": on_ray, "dask": on_dask, "spark": on_spark}


def sorted_rows(names, z):
    """Names without folders, and latents, in the order of the names."""
    names = [name.rsplit("/", 1)[-1] for name in names]
    order = np.argsort(names)
    return [names[i] for i in order], np.asarray(z, dtype=np.float32)[order]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=3_000)
    parser.add_argument("engines", nargs="*", metavar="ENGINE")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="engines-"))
    try:
        data = latents.open("fashion-mnist-sample")
        run = folder / "ae"
        latents.Autoencoder(epochs=1, latent_dim=16, seed=1).fit(data, out=run)
        images = np.asarray(data.all)
        photos = folder / "photos"
        photos.mkdir()
        draws = random.Random(1)
        for i in range(options.images):
            # No two pictures are equal.
            image = images[i % len(images)][0].copy()
            image[i // len(images) % 28] ^= draws.randrange(256)
            Image.fromarray(image).save(photos / f"{i:06}.png")

        one = folder / "one.parquet"
        command = [sys.executable, "-m", "latents"]
        subprocess.run([*command, "encode", "--run", run, "--data", photos, "--out", one, "--json"], check=True)
        table = pd.read_parquet(one)
        expected = sorted_rows(table["name"], table.filter(regex=r"^z\d+$"))
        for name in options.engines or ["ray", "dask"]:
            marker, out = folder / f"{name}.killed", folder / name
            started = time.monotonic()
            table = ENGINES[name](run, photos, out, marker)
            seconds = time.monotonic() - started
            check(marker.exists(), f"{name}: a worker was killed")
            found = sorted_rows(table["name"].to_pylist(), table["z"].to_pylist())
            check(found[0] == expected[0], f"{name}: {len(found[0])} rows, each picture once, in {seconds:.0f} s")
            check(found[1].tobytes() == expected[1].tobytes(), f"{name}: the same bits as one process")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
