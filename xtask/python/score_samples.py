"""Scores files of samples of Fashion-MNIST, whichever program made them, in the features of one classifier.

    python score_samples.py --data DIR --extractor classifier.pt one.npz another.npz

A file has `image` [n, 1, 28, 28], 0 to 1. The classifier is trained once, with a fixed seed, on all training images, and kept; the
features are the 64 units of its last hidden layer. Prints one line of JSON: the Fréchet distance to the test images, precision and recall
(Kynkäänniemi et al., 2019, k = 3) of each file, and the same of training images, the best that samples can be expected to reach. The
distance to training images is there too: samplers are chosen by it.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

import idx

EPOCHS, BATCH, RATE, NEIGHBOURS = 5, 256, 4e-3, 3


def classifier():
    """Two convolutions with pooling, and 64 features under the classes."""
    convs = [nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    convs += [nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    return nn.Sequential(*convs, nn.Linear(64 * 49, 64), nn.ReLU(), nn.Linear(64, 10))


def load(folder, split):
    images = torch.tensor(idx.read(folder, split, "images")[:, None]).float() / 255
    return images, torch.tensor(idx.read(folder, split, "labels")).long()


def trained(path, images, labels):
    """The classifier of a file, which is trained if the file is not there."""
    torch.manual_seed(0)
    model = classifier()
    if path.exists():
        model.load_state_dict(torch.load(path, weights_only=True))
        return model.eval()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
    steps = -(-len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, EPOCHS * steps)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(images)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[rows]), labels[rows]).backward()
            optimizer.step()
            schedule.step()
    torch.save(model.state_dict(), path)
    return model.eval()


def features(model, images):
    with torch.no_grad():
        return torch.cat([model[:-1](batch) for batch in images.split(1000)]).double()


def frechet(a, b):
    """The Fréchet distance between two normal distributions that are fitted to rows."""
    means, covariances = [x.mean(0) for x in (a, b)], [torch.cov(x.T) for x in (a, b)]
    # The trace of the root of the covariances' product, by the root of the first.
    values, vectors = torch.linalg.eigh(covariances[0])
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    product = torch.linalg.eigvalsh(root @ covariances[1] @ root).clamp(min=0)
    traces = sum(c.trace() for c in covariances)
    return ((means[0] - means[1]).square().sum() + traces - 2 * product.sqrt().sum()).item()


def covered(points, by):
    """The fraction of points that lie in the ball of one of the others, which reaches to its k-th neighbour."""
    radii = [torch.cdist(rows, by).kthvalue(NEIGHBOURS + 1).values for rows in by.split(1000)]
    radii = torch.cat(radii)
    inside = [(torch.cdist(rows, by) <= radii).any(1) for rows in points.split(1000)]
    return torch.cat(inside).double().mean().item()


def scores(samples, train, test):
    return {
        "frechet": frechet(samples, test),
        "frechet_to_train": frechet(samples, train),
        "precision": covered(samples, test),
        "recall": covered(test, samples),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the IDX files")
    parser.add_argument("--extractor", type=Path, required=True, help="where the classifier is kept")
    parser.add_argument("--test-limit", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    images, labels = load(args.data, "train")
    model = trained(args.extractor, images, labels)
    test_images, test_labels = load(args.data, "test")
    with torch.no_grad():
        right = model(test_images).argmax(1) == test_labels
    test = features(model, test_images[: args.test_limit])
    # As many training images as test images, and as many others as their floor.
    train, others = (features(model, part) for part in (images[: len(test)], images[-len(test) :]))
    line = {"accuracy": right.double().mean().item(), "floor": scores(others, train, test)}
    line["files"] = {
        file: scores(features(model, torch.tensor(np.load(file)["image"])), train, test)
        for file in args.files
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
