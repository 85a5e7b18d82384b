"""What a Hopfield module is made of, in groups."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from .._native import InvalidInput


@dataclass(frozen=True)
class Sizes:
    """How long the rows are.

    state : a state pattern, the query
    stored : a stored pattern (as a state pattern)
    projection : what values are made of (as a stored pattern)
    head : the space of one head in which states and stored patterns are compared (state / n_heads)
    value : the values of one head (as `head`)
    output : a row of the result (as a state pattern)
    """

    state: int
    stored: int | None = None
    projection: int | None = None
    head: int | None = None
    value: int | None = None
    output: int | None = None

    def __post_init__(self) -> None:
        for name, size in vars(self).items():
            if size is not None and size < 1:
                raise InvalidInput(f"sizes: {name} is {size}; it must be at least 1")


@dataclass(frozen=True)
class Association:
    """How scores become weights.

    n_heads : heads, which associate apart
    alpha : α of α-entmax: softmax at 1, sparsemax at 2
    beta : β, one number or a tensor with one for each head (1/√head, or 1 where neither side is projected)
    dropout : the share of weights that are dropped in training
    zero : a pattern of zeros stored beside the others, to associate with nothing
    """

    n_heads: int = 1
    alpha: float = 1.0
    beta: float | torch.Tensor | None = None
    dropout: float = 0.0
    zero: bool = False

    def __post_init__(self) -> None:
        if self.n_heads < 1:
            raise InvalidInput(f"association: n_heads is {self.n_heads}; it must be at least 1")
        if not 0.0 <= self.dropout < 1.0:
            raise InvalidInput(f"association: dropout is {self.dropout}; it must be at least 0 and below 1")


@dataclass(frozen=True)
class Updates:
    """How often the state is updated, in the space of a head.

    max_steps : updates in all, at least 1 (hopfield-layers counts those after the first)
    tolerance : a head stops when an update changes the weights of each query by no more than this, in Euclidean norm
    """

    max_steps: int = 1
    tolerance: float = 1e-4

    def __post_init__(self) -> None:
        if self.max_steps < 1:
            raise InvalidInput(f"updates: max_steps is {self.max_steps}; it must be at least 1")


@dataclass(frozen=True)
class Normalize:
    """A layer norm."""

    affine: bool = True
    eps: float = 1e-5


@dataclass(frozen=True)
class Norms:
    """Layer norms of what comes in, and of both sides in the space of a head; None for none."""

    stored: Normalize | None = field(default_factory=Normalize)
    state: Normalize | None = field(default_factory=Normalize)
    projection: Normalize | None = field(default_factory=Normalize)
    head: Normalize | None = None

    @classmethod
    def none(cls) -> Norms:
        """No layer norm anywhere."""
        return cls(None, None, None, None)


@dataclass(frozen=True)
class Projections:
    """Which linear maps there are.

    stored, state, projection : of stored patterns, of states, and to values; without them these are used as they are
    output : of the heads' results to the output
    bias : whether those of what comes in have biases
    connected : what values are made of goes through the projection of stored patterns first
    """

    stored: bool = True
    state: bool = True
    projection: bool = True
    output: bool = True
    bias: bool = True
    connected: bool = False

    @classmethod
    def none(cls) -> Projections:
        """None: states, stored patterns and values as they are, which is pure retrieval."""
        return cls(stored=False, state=False, projection=False, output=False)
