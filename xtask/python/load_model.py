"""Loads a run's model into a ten-line PyTorch module and checks that PyTorch agrees with us.

    latents encode --run RUN --split test --out z.npz
    latents reconstruct --run RUN --split test --out r.npz
    python xtask/python/load_model.py RUN DATA z.npz r.npz

RUN is the folder of a run of the default autoencoder, DATA a folder with the standard IDX files
that it was trained on. Fails unless latents and reconstructions agree to 1e-5.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

import idx


class Autoencoder(nn.Module):
    """The study's autoencoder; `model.safetensors` is its state dict."""

    def __init__(self, d, dropout=0.0):
        super().__init__()
        relu, drop = nn.ReLU, lambda: nn.Dropout(dropout)
        convs = [nn.Conv2d(1, 8, 4, 2, 1), relu(), nn.Conv2d(8, 16, 4, 2, 1), relu(), nn.Conv2d(16, 32, 3, 2)]
        narrow = [nn.Flatten(), nn.Linear(288, 64), relu(), drop(), nn.Linear(64, d), drop()]
        self.encoder = nn.Sequential(*convs, *narrow)
        widen = [nn.Linear(d, 64), relu(), drop(), nn.Linear(64, 288), relu(), drop(), nn.Unflatten(1, (32, 3, 3))]
        deconvs = [nn.ConvTranspose2d(32, 16, 3, 2), relu(), nn.ConvTranspose2d(16, 8, 4, 2, 1), relu()]
        self.decoder = nn.Sequential(*widen, *deconvs, nn.ConvTranspose2d(8, 1, 4, 2, 1), nn.Sigmoid())

    def forward(self, x):
        return self.decoder(self.encoder(x))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("latents", type=Path)
    parser.add_argument("reconstructions", type=Path)
    args = parser.parse_args()

    weights = load_file(args.run / "model.safetensors")
    model = Autoencoder(d=weights["encoder.9.weight"].shape[0])
    model.load_state_dict(weights)
    model.eval()

    ours_z = np.load(args.latents)
    ours_images = np.load(args.reconstructions)["image"]
    n = len(ours_images)
    labels = idx.read(args.data, "test", "labels")[:n]
    if "label" in ours_z and not np.array_equal(ours_z["label"], labels):
        raise SystemExit(f"{args.latents}: not the first {n} test images of {args.data}")
    images = torch.tensor(idx.read(args.data, "test", "images")[:n, None]).float() / 255
    with torch.no_grad():
        z = model.encoder(images)
        reconstructed = model.decoder(z)

    failed = False
    for name, theirs, ours in [("latents", z, ours_z["z"]), ("images", reconstructed, ours_images)]:
        if tuple(theirs.shape) != ours.shape:
            raise SystemExit(f"{name}: PyTorch's shape {tuple(theirs.shape)}, ours {ours.shape}")
        scale = max(1.0, theirs.abs().max().item())
        difference = np.abs(theirs.numpy() - ours).max() / scale
        failed |= not difference <= 1e-5
        print(f"{name} {ours.shape}: largest difference {difference:.1e} of {scale:.3g}")
    if failed:
        raise SystemExit("PyTorch and the run disagree by more than 1e-5")


if __name__ == "__main__":
    main()
