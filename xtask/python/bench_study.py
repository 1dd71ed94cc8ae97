"""The peers' side of `cargo xtask versus study`: what each stage of our study costs with PyTorch,
scikit-learn and openTSNE.

    python bench_study.py --data DIR --plan plan.json --epochs 2 --threads 2

`plan.json` says how many epochs of which network each of our stages trained. An epoch of a network is
timed over a few after one that is not counted, and multiplied by the epochs of the stage; maps,
principal components, mixtures and the trust in maps are done once, whole, on latents of an
encoder. Prints a line of JSON for each stage as it goes, to standard error, and at last all of them. What is left out, all in the peers' favour: Optuna's
own time, figures, the report, and the card's measures that none of these libraries has.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import openTSNE
import torch
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.mixture import GaussianMixture
from torch import nn

import idx
from bench_torch import BATCH, autoencoder, hold_out, load, mean_loss, optimiser, train_epoch
from torch_networks import channels_last, negative_bound, variational

ADAM = SimpleNamespace(optimizer="adam", lr=1e-3, weight_decay=1e-4)


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def epoch_of(work, epochs):
    """Seconds of an epoch, after one that is not counted."""
    work()
    return timed(lambda: [work() for _ in range(epochs)]) / epochs


def batches(images, work):
    for rows in torch.randperm(len(images)).split(BATCH):
        work(rows)


class Peers:
    def __init__(self, data, train_limit, test_limit):
        self.train = channels_last(load(data, "train", train_limit))
        self.labels = torch.tensor(idx.read(data, "train", "labels")[:train_limit]).long()
        self.test = channels_last(load(data, "test", test_limit))
        self.training, self.validation = hold_out(self.train)

    def autoencoder(self, stage):
        model = autoencoder(stage["latent_dim"], stage["dropout"])
        optimizer = optimiser(ADAM, model.parameters())

        def work():
            train_epoch(model, optimizer, self.training)
            mean_loss(model, self.validation)

        return work

    def variational(self, stage):
        model = variational(stage["latent_dim"])
        optimizer = optimiser(ADAM, model.parameters())

        def step(rows):
            optimizer.zero_grad(set_to_none=True)
            negative_bound(model, self.training[rows]).backward()
            optimizer.step()

        def work():
            model.train()
            batches(self.training, step)
            model.eval()
            with torch.no_grad():
                for batch in self.validation.split(1000):
                    negative_bound(model, batch).item()

        return work

    def classifier(self, stage):
        """Two layers of hidden units on the encoder, each with an optimiser of its own."""
        encoder = autoencoder(stage["latent_dim"], stage["dropout"]).encoder
        first, second = stage["hidden"]
        head = [nn.Linear(stage["latent_dim"], first), nn.ReLU(), nn.Dropout(0.1)]
        head += [nn.Linear(first, second), nn.ReLU(), nn.Dropout(0.1), nn.Linear(second, 10)]
        model = nn.Sequential(encoder, *head)
        frozen = stage.get("frozen", False)
        encoder.requires_grad_(not frozen)
        optimizers = [optimiser(ADAM, model[1:].parameters())]
        if not frozen:
            optimizers.append(optimiser(ADAM, encoder.parameters()))
        whole = stage["validation"] == 0
        images = self.train if whole else self.training
        labels = self.labels[: len(images)]

        def step(rows):
            for optimizer in optimizers:
                optimizer.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(model(images[rows]), labels[rows]).backward()
            for optimizer in optimizers:
                optimizer.step()

        def work():
            model.train()
            batches(images, step)
            if not whole:
                model.eval()
                with torch.no_grad():
                    for batch in self.validation.split(1000):
                        model(batch).argmax(1)

        return work

    def components(self, stage):
        rows = self.training.flatten(1).numpy()
        pca = PCA(n_components=stage["components"], svd_solver="full").fit(rows)
        pca.inverse_transform(pca.transform(self.test.flatten(1).numpy()))

    def latents(self, stage, images):
        model = autoencoder(stage["latent_dim"], 0.0)
        optimizer = optimiser(ADAM, model.parameters())
        train_epoch(model, optimizer, self.training)
        model.eval()
        with torch.no_grad():
            return np.concatenate([model.encoder(batch).numpy() for batch in images.split(1000)])

    def map(self, stage, threads):
        return np.asarray(openTSNE.TSNE(n_jobs=threads, random_state=1).fit(stage["z"]))

    def card(self, stage, places):
        """The mixture that samples are drawn from, the trust in two maps, and the bound of 50 draws."""
        z = stage["z"]
        train = self.latents(stage, self.train[: stage["fitted"]])
        # In single precision it fails on latents that hang together.
        GaussianMixture(stage["mixture"], random_state=1).fit(train.astype(float))
        for xy in (places, PCA(2).fit_transform(z)):
            trustworthiness(z, xy, n_neighbors=10)
        if stage["draws"]:
            model = variational(stage["latent_dim"]).eval()
            with torch.no_grad():
                for batch in self.test.split(1000):
                    for _ in range(stage["draws"]):
                        negative_bound(model, batch)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the IDX files")
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=2, help="that are timed of each network")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--train-limit", type=int)
    parser.add_argument("--test-limit", type=int)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    peers = Peers(args.data, args.train_limit, args.test_limit)
    places, lines = {}, []
    for stage in json.loads(args.plan.read_text()):
        kind = stage["kind"]
        line = {"stage": stage["stage"]}
        if kind in ("autoencoder", "variational", "classifier"):
            pace = epoch_of(getattr(peers, kind)(stage), args.epochs)
            line |= {"epochs": stage["epochs"], "seconds_per_epoch": round(pace, 3)}
            seconds = pace * stage["epochs"]
        elif kind == "components":
            seconds = timed(lambda: peers.components(stage))
        else:
            stage["z"] = peers.latents(stage, peers.test)
            if kind == "map":
                start = time.perf_counter()
                places[stage["latent_dim"]] = peers.map(stage, args.threads)
                seconds = time.perf_counter() - start
            else:
                seconds = timed(lambda: peers.card(stage, places[stage["latent_dim"]]))
        lines.append(line | {"seconds": round(seconds, 1)})
        print(f"  {json.dumps(lines[-1])}", file=sys.stderr)
    print(json.dumps(lines))


if __name__ == "__main__":
    main()
