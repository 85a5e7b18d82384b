"""Hopfield layers for PyTorch, on the CPU, over the Rust forward and backward of `uhop`.

`retrieve` and `entmax` are functions with gradients; `Hopfield`, `HopfieldPooling` and `HopfieldLayer` are the modules
of Ramsauer et al. 2021 with grouped arguments, any α, and a separation loss for U-Hop training. `docs/python.md` maps
every argument of hopfield-layers to one here.
"""

from __future__ import annotations

from ._functions import entmax, retrieve
from ._modules import Hopfield, HopfieldLayer, HopfieldPooling, separation_loss
from ._options import Association, Normalize, Norms, Projections, Sizes, Updates

__all__ = [
    "Association",
    "Hopfield",
    "HopfieldLayer",
    "HopfieldPooling",
    "Normalize",
    "Norms",
    "Projections",
    "Sizes",
    "Updates",
    "entmax",
    "retrieve",
    "separation_loss",
]
