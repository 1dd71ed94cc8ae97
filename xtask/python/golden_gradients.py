"""Makes the golden files that the engine's tests of networks compare with PyTorch.

    python xtask/python/golden_gradients.py

writes `network_<case>.safetensors` into crates/latents-engine/tests/golden/: a network, its
parameters, a batch, and what PyTorch makes of them. Tensors, all f32: `input` [n, c, h, w],
`target` (class labels [n] as whole numbers, else the output's shape), `{layer}.weight`,
`{layer}.bias`, `output`, `loss` [1], `grad.input`, `grad.{layer}.weight`, `grad.{layer}.bias`. The
metadata's `case` is `{"network": in this project's form, "loss": its kind, "torch": version}`.

To keep the large case small, a missing `target` means that the input is the target, a missing
`grad.input` that it is not checked, and an `output` shorter than the batch that it holds its first
samples. A batch where some rectifier's input lies so close to zero that f32 might see it on the
other side is drawn again.
"""

import math

import torch
from torch import nn
from torch.nn import functional

from golden import GOLDEN, exact, normal, save

RECTIFIER_MARGIN = 2e-6


# --- Networks in the project's JSON form -----------------------------------------------------


def conv(out, kernel, stride=(1, 1), padding=(0, 0)):
    return {
        "kind": "conv2d",
        "out_channels": out,
        "kernel": list(kernel),
        "stride": list(stride),
        "padding": list(padding),
    }


def deconv(out, kernel, stride=(1, 1), padding=(0, 0), output_padding=(0, 0)):
    layer = conv(out, kernel, stride, padding) | {"kind": "conv_transpose2d"}
    return layer | {"output_padding": list(output_padding)}


def linear(out):
    return {"kind": "linear", "out_features": out}


def reshape(*shape):
    return {"kind": "reshape", "shape": list(shape)}


RELU = {"kind": "relu"}
LEAKY_RELU = {"kind": "leaky_relu", "slope": 0.01}
STEEP_LEAKY_RELU = {"kind": "leaky_relu", "slope": 0.2}
SILU = {"kind": "silu"}
GELU = {"kind": "gelu"}
SIGMOID = {"kind": "sigmoid"}
TANH = {"kind": "tanh"}

K3, K4, S2, P1 = (3, 3), (4, 4), (2, 2), (1, 1)

# name: (input shape, batch size, loss, layers)
NETWORKS = {
    "conv2d_k1": ((3, 5, 6), 3, "mse", [conv(8, (1, 1))]),
    "conv2d_k2_s3": ((3, 8, 9), 5, "mse", [conv(5, (2, 2), (3, 3))]),
    "conv2d_k3_p1": ((1, 7, 7), 16, "mse", [conv(3, K3, padding=P1)]),
    "conv2d_k3_s2": ((16, 7, 8), 3, "mse", [conv(8, K3, S2)]),
    "conv2d_k4_s2_p1": ((1, 12, 10), 17, "mse", [conv(8, K4, S2, P1)]),
    "conv2d_k5_s3_p2": ((5, 11, 13), 3, "mse", [conv(3, (5, 5), (3, 3), (2, 2))]),
    "conv2d_k2x5_s3x1_p0x2": ((3, 9, 8), 5, "mse", [conv(5, (2, 5), (3, 1), (0, 2))]),
    "conv2d_k3x1_s1x2_p1x0": ((8, 6, 7), 4, "mse", [conv(16, (3, 1), (1, 2), P1)]),
    "conv2d_covers_input": ((3, 4, 5), 2, "mse", [conv(8, (4, 5))]),
    "conv2d_stacked": (
        (3, 11, 9),
        5,
        "mse",
        [conv(8, K3, padding=P1), TANH, conv(16, (4, 3), S2, P1), SILU, conv(5, (2, 2), S2)],
    ),
    "conv_transpose2d_k1": ((5, 3, 4), 3, "mse", [deconv(3, (1, 1))]),
    "conv_transpose2d_k2_s3_op1x2": (
        (3, 3, 4),
        4,
        "mse",
        [deconv(5, (2, 2), (3, 3), output_padding=(1, 2))],
    ),
    "conv_transpose2d_k3_s2": ((16, 3, 3), 3, "mse", [deconv(8, K3, S2)]),
    "conv_transpose2d_k3_s2_p1_op1": ((8, 4, 3), 5, "mse", [deconv(3, K3, S2, P1, (1, 1))]),
    "conv_transpose2d_k4_s2_p1": ((8, 5, 6), 17, "mse", [deconv(1, K4, S2, P1)]),
    "conv_transpose2d_k5_p2": ((3, 5, 6), 3, "mse", [deconv(16, (5, 5), padding=(2, 2))]),
    "conv_transpose2d_k2x5_s3x2_p0x2_op2x1": (
        (5, 3, 4),
        4,
        "mse",
        [deconv(3, (2, 5), (3, 2), (0, 2), (2, 1))],
    ),
    "conv_transpose2d_stacked": (
        (16, 2, 3),
        5,
        "mse",
        [deconv(8, K3, S2), TANH, deconv(5, (3, 2), S2, (1, 0), (1, 0)), SILU, deconv(1, K4)],
    ),
    "linear": ((3, 4, 5), 7, "mse", [linear(9)]),
    "linear_one_feature": ((1, 1, 1), 16, "mse", [linear(1)]),
    "linear_stacked": ((1, 5, 7), 19, "mse", [linear(33), RELU, linear(8), TANH, linear(17)]),
    "relu": ((3, 6, 6), 5, "mse", [conv(5, K3), RELU, linear(4)]),
    "leaky_relu": ((3, 6, 6), 5, "mse", [conv(5, K3), LEAKY_RELU, linear(4), STEEP_LEAKY_RELU]),
    "silu": ((3, 6, 6), 5, "mse", [conv(5, K3), SILU, linear(4), SILU]),
    "gelu": ((3, 6, 6), 5, "mse", [conv(5, K3), GELU, linear(4), GELU]),
    "sigmoid": ((3, 6, 6), 5, "mse", [conv(5, K3), SIGMOID, linear(4), SIGMOID]),
    "tanh": ((3, 6, 6), 5, "mse", [conv(5, K3), TANH, linear(4), TANH]),
    "activation_first": ((2, 3, 17), 4, "mse", [GELU, linear(3)]),
    "reshape": ((1, 4, 6), 5, "mse", [linear(24), TANH, reshape(6, 2, 2), deconv(3, K3, S2)]),
    "bce_with_logits": (
        (1, 6, 6),
        6,
        "bce_with_logits",
        [linear(12), SILU, reshape(3, 2, 2), deconv(1, K4, S2, P1)],
    ),
    "cross_entropy": ((1, 8, 8), 18, "cross_entropy", [conv(8, K4, S2, P1), RELU, linear(10)]),
    # The study's autoencoder (without dropout).
    "study_autoencoder": (
        (1, 28, 28),
        32,
        "mse",
        [conv(8, K4, S2, P1), RELU, conv(16, K4, S2, P1), RELU, conv(32, K3, S2)]
        + [linear(64), RELU, linear(64)]
        + [linear(64), RELU, linear(288), RELU, reshape(32, 3, 3)]
        + [deconv(16, K3, S2), RELU, deconv(8, K4, S2, P1), RELU, deconv(1, K4, S2, P1), SIGMOID],
    ),
}


def build(shape, layers):
    """PyTorch's modules for a network: as many as it has layers, so that indices agree."""
    modules = []
    for layer in layers:
        kind = layer["kind"]
        if kind in ("conv2d", "conv_transpose2d"):
            module = nn.Conv2d if kind == "conv2d" else nn.ConvTranspose2d
            options = {
                k: v for k, v in layer.items() if k not in ("kind", "out_channels", "kernel")
            }
            made = module(shape[0], layer["out_channels"], layer["kernel"], **options)
        elif kind == "linear":
            made = FlatLinear(math.prod(shape), layer["out_features"])
        elif kind == "leaky_relu":
            made = nn.LeakyReLU(layer["slope"])
        elif kind == "reshape":
            made = nn.Unflatten(1, layer["shape"]) if len(shape) == 1 else Reshape(layer["shape"])
        else:
            plain = {"relu": nn.ReLU, "silu": nn.SiLU, "gelu": nn.GELU}
            made = (plain | {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh})[kind]()
        shape = tuple(made(torch.zeros(1, *shape)).shape[1:])
        modules.append(made)
    return nn.Sequential(*modules).double()


class FlatLinear(nn.Linear):
    """A linear layer that flattens what comes in."""

    def forward(self, x):
        return super().forward(x.flatten(1))


class Reshape(nn.Module):
    """Gives each sample another shape."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape

    def forward(self, x):
        return x.reshape(x.shape[0], *self.shape)


# --- One network: parameters, batch, gradients -------------------------------------------------


def synthetic_images(generator, shape):
    """Soft blobs of grey in [0, 1] with the 256 steps of real images."""
    n, c, h, w = shape
    y = torch.arange(h).view(1, 1, h, 1) / h
    x = torch.arange(w).view(1, 1, 1, w) / w
    images = torch.zeros(shape, dtype=torch.float64)
    for _ in range(3):
        cy, cx, ry, rx = torch.rand(4, n, c, 1, 1, generator=generator, dtype=torch.float64)
        bump = ((y - cy) / (0.1 + 0.4 * ry)) ** 2 + ((x - cx) / (0.1 + 0.4 * rx)) ** 2
        images = torch.maximum(images, torch.exp(-(bump**2)))
    return exact((images * 255).round() / 255)


def draw(case, generator):
    """A network with random parameters and a random batch."""
    shape, n, loss, layers = NETWORKS[case]
    net = build(shape, layers)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.endswith("weight"):
                fan_in = parameter[0].numel()
                parameter.copy_(normal(generator, parameter.shape, math.sqrt(2 / fan_in)))
            else:
                parameter.copy_(normal(generator, parameter.shape, 0.1))
    if case == "study_autoencoder":
        x = synthetic_images(generator, (n, *shape))
        return net, x.requires_grad_(), x.detach()
    x = normal(generator, (n, *shape)).requires_grad_()
    output_shape = net(x).shape
    if loss == "cross_entropy":
        target = torch.randint(output_shape[1], (n,), generator=generator)
    elif loss == "bce_with_logits":
        target = exact(torch.rand(output_shape, generator=generator, dtype=torch.float64))
    else:
        target = normal(generator, output_shape)
    return net, x, target


def nearest_to_kink(net, x):
    """The smallest magnitude that reaches a rectifier, whose gradient jumps at zero."""
    nearest = math.inf
    for module in net:
        if isinstance(module, (nn.ReLU, nn.LeakyReLU)):
            nearest = min(nearest, x.abs().min().item())
        x = module(x)
    return nearest


def network_case(case):
    shape, _, loss_kind, layers = NETWORKS[case]
    generator = torch.Generator().manual_seed(list(NETWORKS).index(case))
    net, x, target = draw(case, generator)
    while nearest_to_kink(net, x) < RECTIFIER_MARGIN:
        net, x, target = draw(case, generator)

    output = net(x)
    losses = {
        "mse": functional.mse_loss,
        "bce_with_logits": functional.binary_cross_entropy_with_logits,
        "cross_entropy": functional.cross_entropy,
    }
    loss = losses[loss_kind](output, target)
    loss.backward()

    tensors = {"input": x, "output": output, "loss": loss.reshape(1)}
    if case == "study_autoencoder":
        tensors["output"] = output[:8]
    else:
        tensors |= {"target": target, "grad.input": x.grad}
    for name, parameter in net.named_parameters():
        tensors[name] = parameter
        tensors[f"grad.{name}"] = parameter.grad
    network = {"input": list(shape), "layers": layers}
    save(f"network_{case}", tensors, {"network": network, "loss": loss_kind})


def main():
    torch.set_num_threads(1)
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for case in NETWORKS:
        network_case(case)
    print(f"{len(NETWORKS)} networks")


if __name__ == "__main__":
    main()
