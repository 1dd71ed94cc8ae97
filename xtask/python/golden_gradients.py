"""Makes the golden files that the engine's tests of networks compare with PyTorch.

    python xtask/python/golden_gradients.py

writes `network_<case>.safetensors` into crates/latents-engine/tests/golden/: a network, its
parameters, a batch, and what PyTorch makes of them. Tensors, all f32: `input` [n, c, h, w],
`target` (class labels [n] as whole numbers; two of them and the first one's weight [n, 3]; else the
output's shape), each parameter and buffer under its name, `output`, `loss` [1], `grad.input`,
`grad.{parameter}`. The metadata's `case` is `{"network": in this project's form, "loss": its kind,
"label_smoothing": for cross-entropy, "train": whether layers are in training mode, "torch": version}`.

In training mode, normalisation takes its statistics over each 16 samples in turn; the place of a
running statistic's gradient holds the mean of those, weighted by samples. `output` is in evaluation
mode always.

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


def masked(out, kernel, center):
    return {"kind": "masked_conv2d", "out_channels": out, "kernel": list(kernel), "center": center}


def linear(out):
    return {"kind": "linear", "out_features": out}


def reshape(*shape):
    return {"kind": "reshape", "shape": list(shape)}


# A bias before a normalisation has no gradient but rounding, so something else stands between the two here.
def norm(momentum=0.1, epsilon=1e-5):
    return {"kind": "batch_norm2d", "momentum": momentum, "epsilon": epsilon}


def pool(kind, kernel, stride, padding=(0, 0)):
    layer = {"kind": f"{kind}_pool2d", "kernel": list(kernel), "stride": list(stride)}
    return layer | {"padding": list(padding)}


def residual(layers, shortcut=()):
    return {"kind": "residual", "layers": list(layers), "shortcut": list(shortcut)}


GLOBAL_POOL = {"kind": "global_avg_pool2d"}
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
    # Enough channels for Winograd's transforms; sides that tiles of 2x2 do not divide.
    "conv2d_wide": (
        (16, 8, 9),
        2,
        "mse",
        [conv(17, K3, padding=P1), TANH, conv(16, K3), LEAKY_RELU, deconv(18, K3, padding=P1)],
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
    "max_pool2d": ((3, 6, 8), 5, "mse", [conv(4, K3), TANH, pool("max", (2, 2), S2), linear(3)]),
    "max_pool2d_k3x4_s2x1_p1x2": ((2, 7, 9), 17, "mse", [pool("max", (3, 4), (2, 1), (1, 2))]),
    "max_pool2d_of_relu": (
        (2, 8, 8),
        4,
        "mse",
        [conv(5, K3, padding=P1), STEEP_LEAKY_RELU, pool("max", K3, S2, P1), linear(4)],
    ),
    "avg_pool2d": ((3, 6, 8), 5, "mse", [conv(4, K3), RELU, pool("avg", (2, 2), S2), linear(3)]),
    "avg_pool2d_k4x3_s1x2_p2x1": ((2, 7, 9), 17, "mse", [pool("avg", (4, 3), (1, 2), (2, 1))]),
    "global_avg_pool2d": ((3, 5, 6), 18, "mse", [conv(7, K3), RELU, GLOBAL_POOL, linear(5)]),
    "batch_norm2d": ((3, 5, 6), 7, "train mse", [norm()]),
    "batch_norm2d_ghosts": (
        (2, 6, 5),
        40,
        "train mse",
        [conv(4, K3), SILU, norm(0.3, 1e-2), RELU]
        + [conv(3, (2, 2)), TANH, norm(), STEEP_LEAKY_RELU, linear(3)],
    ),
    "batch_norm2d_of_matrix": (
        (1, 3, 3),
        42,
        "train mse",
        [linear(6), SILU, norm(), RELU, linear(4), TANH, norm(), linear(3)],
    ),
    "batch_norm2d_evaluated": (
        (2, 6, 5),
        19,
        "mse",
        [conv(4, K3), norm(), RELU, conv(3, (2, 2)), norm(), TANH],
    ),
    "residual": (
        (4, 5, 6),
        6,
        "train mse",
        [conv(4, K3, padding=P1), RELU]
        + [residual([conv(4, K3, padding=P1), TANH, norm()]), RELU, linear(3)],
    ),
    "residual_shortcut": (
        (3, 7, 8),
        20,
        "train mse",
        [
            residual(
                [norm(), RELU, conv(6, K3, S2, P1), SILU, norm(), RELU, conv(5, K3, padding=P1)],
                [pool("avg", K3, S2, P1), norm(), conv(5, (1, 1))],
            ),
            GELU,
            conv(4, (2, 2)),
        ],
    ),
    "residual_nested": (
        (3, 6, 6),
        5,
        "mse",
        [
            residual([SIGMOID, residual([TANH, conv(3, K3, padding=P1)]), conv(3, (1, 1))]),
            residual([reshape(3, 4, 9), reshape(3, 6, 6)], [conv(3, (1, 1)), RELU, conv(3, (1, 1))]),
            linear(2),
        ],
    ),
    "cross_entropy_smooth": ((1, 5, 5), 18, "smooth cross_entropy", [linear(20), RELU, linear(7)]),
    "cross_entropy_mixtures": (
        (1, 8, 8),
        21,
        "smooth mixtures",
        [conv(8, K4, S2, P1), SILU, linear(10)],
    ),
    "masked_conv2d": ((3, 5, 6), 5, "mse", [masked(4, (3, 5), False)]),
    "masked_conv2d_covers_input": ((2, 3, 4), 17, "mse", [masked(5, (5, 9), True)]),
    "masked_conv2d_stacked": (
        (2, 6, 7),
        18,
        "mse",
        [masked(17, (5, 5), False), RELU, masked(16, K3, True), TANH]
        + [residual([masked(16, K3, True), SILU, masked(16, (1, 1), True)])]
        + [masked(3, (1, 3), False)],
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
        elif kind == "masked_conv2d":
            made = MaskedConv(shape[0], layer["out_channels"], layer["kernel"], layer["center"])
        elif kind == "linear":
            made = FlatLinear(math.prod(shape), layer["out_features"])
        elif kind == "leaky_relu":
            made = nn.LeakyReLU(layer["slope"])
        elif kind == "batch_norm2d":
            made = ChannelNorm(shape[0], layer["epsilon"], layer["momentum"])
        elif kind in ("max_pool2d", "avg_pool2d"):
            module = nn.MaxPool2d if kind == "max_pool2d" else nn.AvgPool2d
            made = module(layer["kernel"], layer["stride"], layer["padding"])
        elif kind == "global_avg_pool2d":
            made = nn.AdaptiveAvgPool2d(1)
        elif kind == "residual":
            made = Residual(build(shape, layer["layers"]), build(shape, layer["shortcut"]))
        elif kind == "reshape":
            made = nn.Unflatten(1, layer["shape"]) if len(shape) == 1 else Reshape(layer["shape"])
        else:
            plain = {"relu": nn.ReLU, "silu": nn.SiLU, "gelu": nn.GELU}
            made = (plain | {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh})[kind]()
        modules.append(made.double())
        with torch.no_grad():
            shape = tuple(made.eval()(torch.zeros(1, *shape, dtype=torch.float64)).shape[1:])
    return nn.Sequential(*modules)


class MaskedConv(nn.Conv2d):
    """A convolution with weights for the places before its center alone, or for the center too."""

    def __init__(self, inputs, outputs, kernel, center):
        super().__init__(inputs, outputs, kernel, padding=[side // 2 for side in kernel])
        self.places = math.prod(kernel) // 2 + int(center)
        self.weight = nn.Parameter(self.weight.detach().flatten(2)[:, :, : self.places].clone())

    def forward(self, x):
        missing = math.prod(self.kernel_size) - self.places
        whole = functional.pad(self.weight, (0, missing)).unflatten(2, self.kernel_size)
        return functional.conv2d(x, whole, self.bias, padding=self.padding)


class ChannelNorm(nn.BatchNorm2d):
    """Batch normalisation that also takes what a linear layer gives, and tells its statistics."""

    def forward(self, x):
        x4 = x if x.dim() == 4 else x[:, :, None, None]
        if self.training:
            rows = x4.detach().transpose(0, 1).flatten(1)
            self.seen.append((len(x), rows.mean(1), rows.var(1)))
        return super().forward(x4).reshape(x.shape)


class Residual(nn.Module):
    """The sum of two ways."""

    def __init__(self, layers, shortcut):
        super().__init__()
        self.layers = layers
        self.shortcut = shortcut

    def forward(self, x):
        return self.layers(x) + self.shortcut(x)


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
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    scales = {id(m.weight) for m in norms}
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if id(parameter) in scales:
                parameter.copy_(1 + normal(generator, parameter.shape, 0.25))
            elif name.endswith("weight"):
                fan_in = parameter[0].numel()
                parameter.copy_(normal(generator, parameter.shape, math.sqrt(2 / fan_in)))
            else:
                parameter.copy_(normal(generator, parameter.shape, 0.1))
        for module in norms:
            module.running_mean.copy_(normal(generator, module.running_mean.shape, 0.2))
            spread = torch.rand(module.running_var.shape, generator=generator, dtype=torch.float64)
            module.running_var.copy_(exact(0.5 + spread))
    if case == "study_autoencoder":
        x = synthetic_images(generator, (n, *shape))
        return net, x.requires_grad_(), x.detach()
    x = normal(generator, (n, *shape)).requires_grad_()
    output_shape = net.eval()(x).shape
    if loss.endswith("cross_entropy"):
        target = torch.randint(output_shape[1], (n,), generator=generator)
    elif loss.endswith("mixtures"):
        classes = torch.randint(output_shape[1], (n, 2), generator=generator)
        weights = exact(torch.rand((n, 1), generator=generator, dtype=torch.float64))
        target = torch.cat([classes.double(), weights], 1)
    elif loss == "bce_with_logits":
        target = exact(torch.rand(output_shape, generator=generator, dtype=torch.float64))
    else:
        target = normal(generator, output_shape)
    return net, x, target


def passed(net, x, train):
    """What comes out, and the smallest magnitude that reached a rectifier, whose gradient jumps there.

    In training mode the batch goes through in groups of 16.
    """
    nearest = [math.inf]

    def look(_, inputs):
        nearest.append(inputs[0].abs().min().item())

    rectifiers = [m for m in net.modules() if isinstance(m, (nn.ReLU, nn.LeakyReLU))]
    hooks = [module.register_forward_pre_hook(look) for module in rectifiers]
    for module in net.modules():
        module.seen = []
    groups = x.split(16) if train else [x]
    output = torch.cat([net.train(train)(group) for group in groups])
    for hook in hooks:
        hook.remove()
    return output, min(nearest)


def loss_of(kind, output, target):
    smoothing = 0.1 if "smooth" in kind else 0.0
    if kind.endswith("mixtures"):
        one_hot = functional.one_hot(target[:, :2].long(), output.shape[1]).double()
        weight = target[:, 2:]
        soft = weight * one_hot[:, 0] + (1 - weight) * one_hot[:, 1]
        return functional.cross_entropy(output, soft, label_smoothing=smoothing)
    if kind.endswith("cross_entropy"):
        return functional.cross_entropy(output, target, label_smoothing=smoothing)
    if kind.endswith("bce_with_logits"):
        return functional.binary_cross_entropy_with_logits(output, target)
    return functional.mse_loss(output, target)


def statistics(module):
    """What a normalisation has seen: the mean over its groups, weighted by their samples."""
    total = sum(n for n, _, _ in module.seen)
    return {
        "running_mean": sum(n / total * mean for n, mean, _ in module.seen),
        "running_var": sum(n / total * var for n, _, var in module.seen),
    }


def network_case(case):
    shape, _, kind, layers = NETWORKS[case]
    train = kind.startswith("train")
    generator = torch.Generator().manual_seed(list(NETWORKS).index(case))
    while True:
        net, x, target = draw(case, generator)
        buffers = {
            name: buffer.clone()
            for name, buffer in net.named_buffers()
            if not name.endswith("num_batches_tracked")
        }
        output, nearest = passed(net, x, train)
        if nearest >= RECTIFIER_MARGIN:
            break
    loss = loss_of(kind, output, target)
    loss.backward()

    tensors = {"input": x, "loss": loss.reshape(1)}
    for name, module in net.named_modules():
        if isinstance(module, ChannelNorm):
            # Where nothing was seen, the running statistics were used.
            own = statistics(module) if train else {}
            for buffer in ("running_mean", "running_var"):
                key = f"{name}.{buffer}"
                tensors[f"grad.{key}"] = own.get(buffer, buffers[key])
                getattr(module, buffer).copy_(buffers[key])
    output = passed(net, x, False)[0]
    if case == "study_autoencoder":
        tensors["output"] = output[:8]
    else:
        tensors |= {"output": output, "target": target, "grad.input": x.grad}
    tensors |= buffers
    for name, parameter in net.named_parameters():
        tensors[name] = parameter
        tensors[f"grad.{name}"] = parameter.grad
    network = {"input": list(shape), "layers": layers}
    facts = {"network": network, "loss": kind.split()[-1]}
    if train:
        facts["train"] = True
    if "smooth" in kind:
        facts["label_smoothing"] = 0.1
    save(f"network_{case}", tensors, facts)


def main():
    torch.set_num_threads(1)
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for case in NETWORKS:
        network_case(case)
    print(f"{len(NETWORKS)} networks")


if __name__ == "__main__":
    main()
