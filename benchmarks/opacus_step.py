"""A worker that runs in an environment of its own: DP-SGD steps of Opacus, timed on request.

Reads lines ``NETWORK BATCH MODE`` (mode ``hooks`` or ``ghost``), runs one step, answers with its seconds.
"""

from __future__ import annotations

import sys
import time

import torch
from opacus.grad_sample import GradSampleModule, GradSampleModuleFastGradientClipping
from opacus.optimizers import DPOptimizer, DPOptimizerFastGradientClipping
from opacus.utils.fast_gradient_clipping_utils import DPLossFastGradientClipping
from torch import nn
from torch.nn import functional

SIZES = (85, 9, 100, 16, 7, 15, 6, 5, 2, 100, 100, 99, 42, 2)  # of the columns of Adult
WIDTH, COLUMNS, HIDDEN = sum(SIZES), len(SIZES), 256
OFFSETS = torch.tensor([sum(SIZES[:i]) for i in range(COLUMNS)])
MEMBERS = torch.eye(COLUMNS).repeat_interleave(torch.tensor(SIZES), dim=0)


class Vae(nn.Module):
    """Six dense layers, 150 columns, 256 wide, 16 latent."""

    def __init__(self):
        super().__init__()
        widths = [(150, 256), (256, 256), (256, 32), (16, 256), (256, 256), (256, 150)]
        self.layers = nn.ModuleList([nn.Linear(*w) for w in widths])

    def forward(self, x):
        a, b, c, d, e, f = self.layers
        mean, log_variance = c(torch.relu(b(torch.relu(a(x))))).chunk(2, dim=1)
        z = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
        return torch.cat([f(torch.relu(e(torch.relu(d(z))))), mean, log_variance], 1)


def vae_loss(out, x, reduction="mean"):
    y, mean, log_variance = out[:, :150], out[:, 150:166], out[:, 166:]
    each = ((y - x) ** 2).sum(1) + 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum(1)
    return each if reduction == "none" else each.mean()


class Denoiser(nn.Module):
    """Convolutions on 28x28: down once, up once, a skip."""

    def __init__(self):
        super().__init__()
        self.enter = nn.Conv2d(1, 32, 3, padding=1)
        self.down = nn.Conv2d(32, 64, 3, stride=2, padding=1)
        self.middle = nn.Conv2d(64, 64, 3, padding=1)
        self.up = nn.Conv2d(96, 32, 3, padding=1)
        self.leave = nn.Conv2d(32, 1, 3, padding=1)
        self.norms = nn.ModuleList([nn.GroupNorm(8, c) for c in (32, 64, 64, 32)])

    def forward(self, x):
        act = functional.silu
        noisy = x + torch.randn_like(x)
        fine = act(self.norms[0](self.enter(noisy)))
        coarse = act(self.norms[1](self.down(fine)))
        coarse = act(self.norms[2](self.middle(coarse)))
        both = torch.cat([functional.interpolate(coarse, scale_factor=2), fine], 1)
        return self.leave(act(self.norms[3](self.up(both))))


def denoiser_loss(out, x, reduction="mean"):
    each = ((out - x) ** 2).flatten(1).sum(1)
    return each if reduction == "none" else each.mean()


class Discriminator(nn.Module):
    """Two strided convolutions and a dense layer on 28x28."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 32, 3, stride=2, padding=1)
        self.second = nn.Conv2d(32, 64, 3, stride=2, padding=1)
        self.last = nn.Linear(64 * 49, 1)

    def forward(self, x):
        h = functional.leaky_relu(self.second(functional.leaky_relu(self.first(x), 0.2)), 0.2)
        return self.last(h.flatten(1))


def discriminator_loss(out, x, reduction="mean"):
    each = functional.softplus(-out[:, 0])
    return each if reduction == "none" else each.mean()


class TableDiscriminator(nn.Module):
    """Codes in, a score out."""

    def __init__(self):
        super().__init__()
        self.first = nn.Embedding(WIDTH, HIDDEN)
        self.second, self.last = nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, 1)

    def forward(self, rows):
        h = functional.leaky_relu(self.first(rows).sum(1), 0.2)
        return self.last(functional.leaky_relu(self.second(h), 0.2))


class TableDenoiser(nn.Module):
    """Codes and masks in, logits of every column out: two residual blocks."""

    def __init__(self):
        super().__init__()
        self.first = nn.Embedding(WIDTH + COLUMNS, HIDDEN)
        self.blocks = nn.ModuleList([nn.Linear(HIDDEN, HIDDEN) for _ in range(4)])
        self.last = nn.Linear(HIDDEN, WIDTH)

    def forward(self, rows):
        h = self.first(rows).sum(1)
        for enter, leave in (self.blocks[:2], self.blocks[2:]):
            h = h + leave(functional.silu(enter(functional.silu(h))))
        return self.last(functional.silu(h))


def bound(out, rows, reduction="mean"):
    """Minus the log-likelihood of every column, masked or not: it costs the same."""
    logits = 30 * torch.tanh(out / 30)
    totals = torch.log(torch.exp(logits) @ MEMBERS)
    each = -(torch.gather(logits - totals @ MEMBERS.T, 1, rows)).sum(1)
    return each if reduction == "none" else each.mean()


def normal(*shape):
    return lambda batch: torch.randn(batch, *shape)


def codes(batch):
    return (torch.rand(batch, COLUMNS) * torch.tensor(SIZES)).long() + OFFSETS


NETWORKS = {
    "vae": (Vae, vae_loss, normal(150)),
    "gan": (TableDiscriminator, discriminator_loss, codes),
    "diffusion": (TableDenoiser, bound, codes),
    "denoiser": (Denoiser, denoiser_loss, normal(1, 28, 28)),
    "discriminator": (Discriminator, discriminator_loss, normal(1, 28, 28)),
}


class Criterion:
    reduction = "mean"

    def __init__(self, loss):
        self.loss = loss

    def __call__(self, out, x):
        return self.loss(out, x, self.reduction)


def prepare(name: str, batch: int, mode: str):
    network, loss, records = NETWORKS[name]
    torch.manual_seed(0)
    x, criterion = records(batch), Criterion(loss)
    common = {"noise_multiplier": 1.0, "max_grad_norm": 1.0, "expected_batch_size": batch}
    if mode == "hooks":
        model = GradSampleModule(network())
        optimizer = DPOptimizer(torch.optim.Adam(model.parameters()), **common)
    else:
        model = GradSampleModuleFastGradientClipping(network(), max_grad_norm=1.0, use_ghost_clipping=True)
        optimizer = DPOptimizerFastGradientClipping(torch.optim.Adam(model.parameters()), **common)
        criterion = DPLossFastGradientClipping(model, optimizer, criterion)

    def step():
        optimizer.zero_grad()
        criterion(model(x), x).backward()
        optimizer.step()

    return step


def main() -> None:
    torch.set_num_threads(2)
    steps = {}
    for line in sys.stdin:
        name, batch, mode = line.split()
        if (name, batch, mode) not in steps:
            if len(steps) > 1:
                steps.clear()
            steps[name, batch, mode] = prepare(name, int(batch), mode)
            steps[name, batch, mode]()
        start = time.perf_counter()
        steps[name, batch, mode]()
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
