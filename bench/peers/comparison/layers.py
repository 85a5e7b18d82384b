"""A training step of Hopfield layers and of an image classifier: forward, backward, Adam."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import entmax
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .arrays import Array
from .pairs import Row, Side
from .setup import Section, Setup, section

TEXT = """\
{samples} samples of {tokens} tokens, {dim} wide, {heads} heads, on the CPU; the same parameters
and the same batch on both sides, whose outputs before the first step are compared. *layer*:
W_Q, W_K, W_V, W_O and the association, loss the mean square of the readouts. *ViH*: the fair
classifier of `uhop train classify` for CIFAR-10, 64 patches and a class token in one
transformer block, loss the cross-entropy. The softmax of PyTorch is its
`scaled_dot_product_attention`. uhop's process keeps the memory it frees, as `uhop train` does."""

HEADS, TOKENS, DIM, HIDDEN, CLASSES = 8, 65, 512, 1024, 10
PATCHES, PATCH = 8, 4
RATE = 1e-3
Torch = torch.Tensor
Associate = Callable[[Torch, Torch, Torch], Torch]


def attention(q: Torch, k: Torch, v: Torch) -> Torch:
    """softmax(β q kᵀ) v, fused."""
    return F.scaled_dot_product_attention(q, k, v)


def separated(weigh: Callable[[Torch], Torch]) -> Associate:
    """weights(β q kᵀ) v."""

    def associate(q: Torch, k: Torch, v: Torch) -> Torch:
        return weigh(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5) @ v

    return associate


def softmax_1(scores: Torch) -> Torch:
    """exp z / (1 + Σ exp z), stably."""
    return torch.softmax(F.pad(scores, (0, 1)), dim=-1)[..., :-1]


def bisected(scores: Torch) -> Torch:
    """α = 1.25."""
    return entmax.entmax_bisect(scores, alpha=1.25, dim=-1)


# Name, separation of uhop's layer, peer, its association, goal.
LAYERS: list[tuple[str, Any, str, Associate, str]] = [
    ("softmax", "softmax", "torch", attention, "1"),
    ("softmax-1", "softmax_one", "torch", separated(softmax_1), "1"),
    ("sparsemax", "sparsemax", "entmax sparsemax", separated(entmax.Sparsemax(dim=-1)), "3"),
    ("1.5-entmax", {"entmax": {"alpha": 1.5}}, "entmax15", separated(entmax.Entmax15(dim=-1)), "3"),
    ("1.25-entmax", {"entmax": {"alpha": 1.25}}, "entmax_bisect", separated(bisected), "3"),
]
# Name of uhop's model, peer, its association, goal.
MODELS: list[tuple[str, str, Associate, str]] = [
    ("dense", "torch", attention, "1"),
    ("sparse", "entmax sparsemax", separated(entmax.Sparsemax(dim=-1)), "3"),
    ("entmax15", "entmax15", separated(entmax.Entmax15(dim=-1)), "3"),
]


class Hopfield(nn.Module):
    """The layer without normalisations."""

    def __init__(self, associate: Associate) -> None:
        super().__init__()
        self.maps = nn.ModuleList(nn.Linear(DIM, DIM) for _ in range(4))
        self.associate = associate

    def forward(self, x: Torch) -> Torch:
        """Readouts of tokens `[batch, n, dim]` associated with each other."""
        batch, n, dim = x.shape

        def heads(rows: Torch) -> Torch:
            return rows.view(batch, n, HEADS, dim // HEADS).transpose(1, 2)

        q, k, v = (heads(linear(x)) for linear in self.maps[:3])
        readout = self.associate(q, k, v).transpose(1, 2).reshape(batch, n, dim)
        return self.maps[3](readout)


class ViH(nn.Module):
    """The fair classifier."""

    def __init__(self, associate: Associate) -> None:
        super().__init__()
        self.embedding = nn.Linear(PATCH * PATCH * 3, DIM)
        self.class_token = nn.Parameter(torch.empty(1, 1, DIM))
        self.positions = nn.Parameter(torch.empty(1, TOKENS, DIM))
        self.norm = nn.LayerNorm(DIM)
        self.hopfield = Hopfield(associate)
        self.hidden_norm = nn.LayerNorm(DIM)
        self.hidden = nn.Linear(DIM, HIDDEN)
        self.output = nn.Linear(HIDDEN, DIM)
        self.last_norm = nn.LayerNorm(DIM)
        self.head = nn.Linear(DIM, CLASSES)

    def forward(self, images: Torch) -> Torch:
        """Scores of rows of pixels."""
        batch = len(images)
        parts = images.view(batch, PATCHES, PATCH, PATCHES, PATCH * 3).transpose(2, 3)
        patches = self.embedding(parts.reshape(batch, PATCHES * PATCHES, -1))
        x = torch.cat([self.class_token.expand(batch, 1, DIM), patches], dim=1) + self.positions
        x = x + self.hopfield(self.norm(x))
        x = x + self.output(F.gelu(self.hidden(self.hidden_norm(x))))
        return self.head(self.last_norm(x[:, 0]))


def parts(module: nn.Module) -> Iterator[tuple[nn.Parameter, bool]]:
    """Parameters in the order of the worker, and whether its matrices are the other way round."""
    for child in module.modules():
        for name, parameter in child.named_parameters(recurse=False):
            yield parameter, isinstance(child, nn.Linear) and name == "weight"


def fill(module: nn.Module, values: Array) -> None:
    """Gives the module the parameters that the worker wrote."""
    at = 0
    for parameter, is_turned in parts(module):
        part = torch.from_numpy(values[at : at + parameter.numel()])
        at += parameter.numel()
        shape = parameter.shape[::-1] if is_turned else parameter.shape
        value = part.reshape(shape)
        with torch.no_grad():
            parameter.copy_(value.T if is_turned else value)
    assert at == values.size, "both sides must have as many parameters"


def trained(name: str, module: nn.Module, batch: Torch, classes: Torch | None) -> Side:
    """A step at each run; the result is the output before it."""
    optimizer = torch.optim.Adam(module.parameters(), lr=RATE)

    def run() -> tuple[float, Array]:
        start = time.perf_counter()
        output = module(batch)
        loss = output.square().mean() if classes is None else F.cross_entropy(output, classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seconds = time.perf_counter() - start
        return seconds, output.detach().reshape(-1, output.shape[-1]).numpy()

    return Side(name, run)


def ours(setup: Setup, name: str, do: str, **fields: Any) -> tuple[Side, Array]:
    """A step of uhop at each run, and the parameters that it starts from."""
    path = setup.worker.folder / "parameters.npy"
    setup.worker.ask(do, trainee=name, parameters=str(path), **fields)
    return setup.worker.side(name, "step", trainee=name, repetitions=1), np.load(path)[0]


def run(setup: Setup) -> Section:
    """The layer with each separation, and the classifier."""
    n = 8 if setup.quick else 128
    random = np.random.default_rng(0)
    tokens = random.standard_normal((n * TOKENS, DIM), dtype=np.float32)
    images = random.standard_normal((n, 3 * (PATCHES * PATCH) ** 2), dtype=np.float32)
    setup.worker.load("tokens", tokens)
    setup.worker.load("images", images)
    rows: list[Row] = []
    for name, separation, peer_name, associate, goal in LAYERS:
        fields = {"n_samples": n, "n_heads": HEADS, "separation": separation}
        own, values = ours(setup, name, "layer", tokens="tokens", **fields)
        layer = Hopfield(associate)
        fill(layer, values)
        peer = trained(peer_name, layer, torch.from_numpy(tokens).view(n, TOKENS, DIM), None)
        rows.append(setup.compare("layer", peer, own, goal))
        setup.worker.ask("forget", name=name)
    for name, peer_name, associate, goal in MODELS:
        own, values = ours(setup, name, "classifier", images="images", model=name)
        model = ViH(associate)
        fill(model, values)
        peer = trained(peer_name, model, torch.from_numpy(images), torch.arange(n) % CLASSES)
        rows.append(setup.compare("ViH", peer, own, goal))
        setup.worker.ask("forget", name=name)
    text = TEXT.format(samples=n, tokens=TOKENS, dim=DIM, heads=HEADS)
    return section("Layers", text, rows)
