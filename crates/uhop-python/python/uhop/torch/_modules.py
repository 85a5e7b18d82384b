"""Hopfield modules: dense association with stored patterns that come in, or that are learned."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .._native import InvalidInput
from ._functions import entmax
from ._options import Association, Normalize, Norms, Projections, Sizes, Updates

# Of random weights and of learned patterns.
_STD = 0.02


def _norm(normalize: Normalize | None, size: int) -> nn.Module:
    if normalize is None:
        return nn.Identity()
    return nn.LayerNorm(size, eps=normalize.eps, elementwise_affine=normalize.affine)


class Hopfield(nn.Module):
    """States associate with stored patterns and get their values (Ramsauer et al. 2021).

    For each head, with q, k and v the projected states, stored patterns and values:

        p = α-entmax(β q kᵀ),  q ← p k until the weights rest,  result = p v

    and the heads' results side by side go through the output projection. Inputs are `[batch, n, size]`.

    >>> layer = Hopfield(Sizes(8), Association(n_heads=2, alpha=1.5))
    >>> layer(torch.ones(3, 5, 8), torch.ones(3, 2, 8)).shape
    torch.Size([3, 2, 8])
    """

    beta: Tensor

    def __init__(
        self,
        sizes: Sizes,
        association: Association = Association(),
        updates: Updates = Updates(),
        norms: Norms = Norms(),
        projections: Projections = Projections(),
    ) -> None:
        super().__init__()
        self.sizes, self.association, self.updates = sizes, association, updates
        self.projections = projections
        n_heads = association.n_heads
        stored_size = sizes.stored or sizes.state
        projection_size = sizes.projection or stored_size
        head = sizes.head or sizes.state // n_heads
        value = sizes.value or head
        if head < 1:
            raise InvalidInput(f"hopfield: {sizes.state} numbers are too few for {n_heads} heads; name sizes.head")
        if projections.connected and not (projections.stored and projections.projection):
            raise InvalidInput("hopfield: connected values need the projections of stored patterns and to values")
        if projections.connected and projection_size != stored_size:
            raise InvalidInput(
                f"hopfield: connected values need projections as long as stored patterns, {stored_size} numbers, "
                f"found {projection_size}"
            )
        self.norm_stored = _norm(norms.stored, stored_size)
        self.norm_state = _norm(norms.state, sizes.state)
        self.norm_projection = _norm(norms.projection, projection_size)

        def linear(wanted: bool, size: int, inner: int) -> nn.Module:
            return nn.Linear(size, n_heads * inner, bias=projections.bias) if wanted else nn.Identity()

        self.project_state = linear(projections.state, sizes.state, head)
        self.project_stored = linear(projections.stored, stored_size, head)
        value_input = n_heads * head if projections.connected else projection_size
        self.project_value = linear(projections.projection, value_input, value)
        widths = {
            "states": n_heads * head if projections.state else sizes.state,
            "stored patterns": n_heads * head if projections.stored else stored_size,
        }
        if len(set(widths.values())) > 1:
            listed = ", ".join(f"{width} numbers of {what}" for what, width in widths.items())
            raise InvalidInput(f"hopfield: {listed} cannot be compared; choose sizes.head, or project both")
        compared = widths["states"]
        read = n_heads * value if projections.projection else projection_size
        if compared % n_heads or read % n_heads:
            raise InvalidInput(f"hopfield: {compared} and {read} numbers cannot be shared among {n_heads} heads")
        self.norm_head = _norm(norms.head, compared // n_heads)
        output = sizes.output or sizes.state
        self.project_output: nn.Module = nn.Linear(read, output) if projections.output else nn.Identity()
        self.output_size = output if projections.output else read
        self.dropout = nn.Dropout(association.dropout)
        is_static = not projections.state and not projections.stored
        beta = association.beta if association.beta is not None else 1.0 if is_static else (compared // n_heads) ** -0.5
        beta = torch.as_tensor(beta, dtype=torch.get_default_dtype())
        if beta.shape not in (torch.Size([]), torch.Size([n_heads])):
            raise InvalidInput(f"hopfield: beta has shape {list(beta.shape)}; give a number, or one for each head")
        if not bool((beta > 0).all()):
            raise InvalidInput("hopfield: beta must be above 0")
        self.register_buffer("beta", beta.reshape(-1, 1, 1), persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weights from N(0, 0.02²), biases 0."""
        for module in (self.project_state, self.project_stored, self.project_value, self.project_output):
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=_STD)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(
        self,
        stored: Tensor,
        state: Tensor,
        projection: Tensor | None = None,
        *,
        stored_mask: Tensor | None = None,
        association_mask: Tensor | None = None,
    ) -> Tensor:
        """`[batch, n_stored, size]` and `[batch, n_states, size]` → `[batch, n_states, output_size]`.

        projection : what values are made of, `[batch, n_stored, size]` (the stored patterns)
        stored_mask : which stored patterns are there, `[batch, n_stored]`, true for those
        association_mask : which of them each state may associate with, `[n_states, n_stored]`, true for those
        """
        weights, value = self._associate(stored, state, projection, stored_mask, association_mask)
        read = self.dropout(weights) @ value
        readout: Tensor = self.project_output(read.transpose(1, 2).flatten(2))
        return readout

    def weights(
        self,
        stored: Tensor,
        state: Tensor,
        projection: Tensor | None = None,
        *,
        stored_mask: Tensor | None = None,
        association_mask: Tensor | None = None,
    ) -> Tensor:
        """The weights p of the last update, `[batch, n_heads, n_states, n_stored]`; of the pattern of zeros last."""
        return self._associate(stored, state, projection, stored_mask, association_mask)[0]

    def features(self, stored: Tensor) -> Tensor:
        """Φ(ξ): stored patterns as they are compared, `[..., n_stored, n_heads × head]`, the heads side by side."""
        rows = self.project_stored(self.norm_stored(stored))
        n_heads = self.association.n_heads
        by_heads = rows.reshape(*rows.shape[:-1], n_heads, rows.shape[-1] // n_heads)
        features: Tensor = self.norm_head(by_heads).flatten(-2)
        return features

    def _associate(
        self,
        stored: Tensor,
        state: Tensor,
        projection: Tensor | None,
        stored_mask: Tensor | None,
        association_mask: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        _check(stored, "stored patterns")
        _check(state, "states")
        key = self.features(stored)
        query = self.project_state(self.norm_state(state))
        content = self.norm_projection(stored if projection is None else projection)
        # Connected: the space in which patterns are compared, on the way to values.
        content = self.project_stored(content) if self.projections.connected else content
        value = self.project_value(content)
        query, key, value = (self._by_heads(rows) for rows in (query, key, value))
        query = self.norm_head(query)
        allowed = _allowed(stored_mask, association_mask, query, key)
        if self.association.zero:
            key, value = F.pad(key, (0, 0, 0, 1)), F.pad(value, (0, 0, 0, 1))
            allowed = None if allowed is None else F.pad(allowed, (0, 1), value=True)
        weights = self._weights(query, key, allowed)
        active = torch.ones_like(weights[:1, :, :1, :1], dtype=torch.bool)
        for _ in range(self.updates.max_steps - 1):
            updated = torch.where(active, self._weights(weights @ key, key, allowed), weights)
            # By heads, as the states of a batch are updated together.
            change = (updated - weights).norm(dim=-1).amax(dim=(0, 2)).reshape(1, -1, 1, 1)
            weights, active = updated, active & (change > self.updates.tolerance)
            if not active.any():
                break
        return weights, value

    def _weights(self, query: Tensor, key: Tensor, allowed: Tensor | None) -> Tensor:
        scores = self.beta.to(query.dtype) * query @ key.transpose(-1, -2)
        if allowed is not None:
            scores = scores.masked_fill(~allowed, -torch.inf)
        return entmax(scores, self.association.alpha)

    def _by_heads(self, rows: Tensor) -> Tensor:
        """`[batch, n, n_heads × size]` → `[batch, n_heads, n, size]`."""
        n_heads = self.association.n_heads
        return rows.reshape(*rows.shape[:-1], n_heads, rows.shape[-1] // n_heads).transpose(1, 2)


def _check(rows: Tensor, what: str) -> None:
    if rows.ndim != 3:
        raise InvalidInput(f"hopfield: {what} have shape {list(rows.shape)}; give [batch, n, size]")


def _check_mask(mask: Tensor, name: str, shape: tuple[int, int]) -> None:
    if mask.dtype != torch.bool or mask.shape != shape:
        raise InvalidInput(
            f"hopfield: {name} is {mask.dtype} of shape {list(mask.shape)}; give bools of shape {list(shape)}"
        )


def _allowed(stored_mask: Tensor | None, association_mask: Tensor | None, query: Tensor, key: Tensor) -> Tensor | None:
    """True where a state may associate with a stored pattern, as far as something is masked."""
    (batch, _, n_states, _), n_stored = query.shape, key.shape[2]
    allowed = None
    for mask, name, shape in (
        (stored_mask, "stored_mask", (batch, n_stored)),
        (association_mask, "association_mask", (n_states, n_stored)),
    ):
        if mask is None:
            continue
        _check_mask(mask, name, shape)
        mask = mask[:, None, None, :] if name == "stored_mask" else mask
        allowed = mask if allowed is None else allowed & mask
    return allowed


class HopfieldPooling(nn.Module):
    """Learned states pool the stored patterns that come in: `[batch, n_stored, size]` → `[batch, quantity × output]`.

    `sizes.state` is the length of a learned state. With `trainable=False` they stay as they were drawn. Values are made
    of the stored patterns.

    >>> HopfieldPooling(Sizes(8), quantity=3)(torch.ones(2, 5, 8)).shape
    torch.Size([2, 24])
    """

    def __init__(
        self,
        sizes: Sizes,
        quantity: int = 1,
        association: Association = Association(),
        updates: Updates = Updates(),
        norms: Norms = Norms(),
        projections: Projections = Projections(),
        *,
        trainable: bool = True,
    ) -> None:
        super().__init__()
        _check_values(sizes, "use Hopfield, which takes a projection")
        self.hopfield = Hopfield(sizes, association, updates, norms, projections)
        self.states = _learned(quantity, sizes.state, trainable)

    def forward(self, stored: Tensor, *, stored_mask: Tensor | None = None) -> Tensor:
        """`stored_mask` says which stored patterns are there, `[batch, n_stored]`."""
        states = self.states.expand(len(stored), -1, -1)
        readout: Tensor = self.hopfield(stored, states, stored_mask=stored_mask)
        return readout.flatten(1)

    def weights(self, stored: Tensor, *, stored_mask: Tensor | None = None) -> Tensor:
        """The weights of each learned state, `[batch, n_heads, quantity, n_stored]`."""
        states = self.states.expand(len(stored), -1, -1)
        return self.hopfield.weights(stored, states, stored_mask=stored_mask)


class HopfieldLayer(nn.Module):
    """States that come in associate with learned patterns: `[batch, n_states, size]` → `[batch, n_states, output]`.

    targets : `"stored"`, values made of the stored patterns; `"trainable"` or `"fixed"`, of patterns of their own that
        are learned or stay as they were drawn

    >>> HopfieldLayer(Sizes(8), quantity=5)(torch.ones(2, 3, 8)).shape
    torch.Size([2, 3, 8])
    """

    def __init__(
        self,
        sizes: Sizes,
        quantity: int = 1,
        association: Association = Association(),
        updates: Updates = Updates(),
        norms: Norms = Norms(),
        projections: Projections = Projections(),
        *,
        trainable: bool = True,
        targets: Literal["stored", "trainable", "fixed"] = "stored",
    ) -> None:
        super().__init__()
        if targets not in ("stored", "trainable", "fixed"):
            raise InvalidInput(f'hopfield: targets is {targets!r}; it must be "stored", "trainable" or "fixed"')
        if targets == "stored":
            _check_values(sizes, 'choose targets="trainable" or "fixed"')
        self.hopfield = Hopfield(sizes, association, updates, norms, projections)
        stored_size = sizes.stored or sizes.state
        self.stored = _learned(quantity, stored_size, trainable)
        own = targets != "stored"
        size = sizes.projection or stored_size
        self.targets = _learned(quantity, size, targets == "trainable") if own else None

    def forward(self, state: Tensor) -> Tensor:
        """`[batch, n_states, size]` → `[batch, n_states, output_size]`."""
        readout: Tensor = self.hopfield(*self._inputs(state))
        return readout

    def weights(self, state: Tensor) -> Tensor:
        """The weights of each learned pattern, `[batch, n_heads, n_states, quantity]`."""
        return self.hopfield.weights(*self._inputs(state))

    def _inputs(self, state: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        def all_alike(rows: Tensor) -> Tensor:
            return rows.expand(len(state), -1, -1)

        return all_alike(self.stored), state, None if self.targets is None else all_alike(self.targets)


def _check_values(sizes: Sizes, other: str) -> None:
    """That values can be made of the stored patterns."""
    stored = sizes.stored or sizes.state
    if sizes.projection not in (None, stored):
        raise InvalidInput(
            f"hopfield: values are made of the stored patterns, {stored} numbers, not of {sizes.projection}; "
            f"leave out sizes.projection, or {other}"
        )


def _learned(quantity: int, size: int, trainable: bool) -> nn.Parameter:
    if quantity < 1:
        raise InvalidInput(f"hopfield: quantity is {quantity}; it must be at least 1")
    rows = nn.Parameter(torch.empty(1, quantity, size), requires_grad=trainable)
    nn.init.normal_(rows, std=_STD)
    return rows


def separation_loss(
    module: Hopfield | HopfieldPooling | HopfieldLayer,
    stored: Tensor | None = None,
    *,
    stored_mask: Tensor | None = None,
    loss: Literal["average", "max"] = "average",
    t: float = 2.0,
) -> Tensor:
    """The separation loss of U-Hop for the stored patterns of a module (Wu, Hu, Hsiao, Liu 2024), to be added to that
    of the task or minimised before it:

        average: log mean exp(−t‖φ(u) − φ(v)‖²) over pairs u ≠ v;  max: −t min ‖φ(u) − φ(v)‖²

    φ = Φ/‖Φ‖, and 0 where Φ is 0, with Φ the part of `features` that a head compares: heads associate apart, and so
    each has a loss. The result is the mean over samples and heads, in `float32` for types of half precision.

    stored : `[batch, n_stored, size]`; a `HopfieldLayer` has stored patterns of its own
    stored_mask : which stored patterns are there, `[batch, n_stored]`, true for those; the others are in no pair, a
        sample of fewer than two is left out, and without any other the loss is 0

    >>> layer = HopfieldLayer(Sizes(8), quantity=5)
    >>> separation_loss(layer).backward()
    """
    hopfield = module if isinstance(module, Hopfield) else module.hopfield
    if stored is None:
        if not isinstance(module, HopfieldLayer):
            raise InvalidInput("separation_loss: the module has no stored patterns of its own; give those that come in")
        stored = module.stored
    _check(stored, "stored patterns")
    batch, n = stored.shape[:2]
    if batch < 1 or n < 2:
        raise InvalidInput(
            f"separation_loss: stored patterns have shape {list(stored.shape)}; a separation needs at least two"
        )
    if loss not in ("average", "max"):
        raise InvalidInput(f'separation_loss: loss is {loss!r}; it must be "average" or "max"')
    features = hopfield._by_heads(hopfield.features(stored))
    # Half precision has no squares of a norm of 256, and no number of pairs of 363 patterns.
    features = _unit(features.float() if torch.finfo(features.dtype).bits < 32 else features)
    first, second = torch.triu_indices(n, n, offset=1)
    # By differences: 2 − 2⟨u,v⟩ has no digits left where patterns are close.
    square = (features[..., first, :] - features[..., second, :]).square().sum(-1)
    exponents, n_pairs = -t * square, torch.tensor(float(len(first)))
    if stored_mask is not None:
        _check_mask(stored_mask, "stored_mask", (batch, n))
        is_pair = stored_mask[:, first] & stored_mask[:, second]
        is_counted = is_pair.any(-1)
        # Samples without a pair go before the logarithm, whose gradient there is no number.
        exponents, is_pair = exponents[is_counted], is_pair[is_counted][:, None]
        exponents, n_pairs = exponents.masked_fill(~is_pair, -torch.inf), is_pair.sum(-1)
    losses = exponents.amax(-1) if loss == "max" else exponents.logsumexp(-1) - n_pairs.to(square.dtype).log()
    mean: Tensor = losses.sum() / max(losses.numel(), 1)
    return mean


def _unit(rows: Tensor) -> Tensor:
    """Rows of norm 1. One of zeros stays, without a gradient."""
    square = rows.square().sum(-1, keepdim=True)
    is_zero = square == 0
    unit: Tensor = rows / square.masked_fill(is_zero, 1.0).sqrt()
    return unit.masked_fill(is_zero, 0.0)
