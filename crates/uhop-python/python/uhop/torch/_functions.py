"""Functions with gradients, forward and backward in Rust."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .. import _native
from .._memory import Memory
from .._native import InvalidInput, Separation
from .._separations import entmax as _entmax
from .._separations import entmax_vjp as _entmax_vjp


def entmax(z: Tensor, alpha: float | Tensor = 1.5, dim: int = -1) -> Tensor:
    """α-entmax along `dim`, with gradients for `z` and α; −∞ is a masked score. `alpha` is a number, or a tensor with
    one for each row that broadcasts to `z`.

    >>> entmax(torch.tensor([-2.0, 0.0, 0.5]), alpha=2.0)
    tensor([0.0000, 0.2500, 0.7500])
    """
    _on_cpu(z, "the scores")
    weights: Tensor = _Entmax.apply(z, alpha, dim)
    return weights


def retrieve(
    queries: Tensor,
    patterns: Tensor,
    values: Tensor | None = None,
    similarity: Literal["dot", "cosine", "euclidean"] = "dot",
    alpha: float = 1.0,
    beta: float | Tensor = 1.0,
    max_steps: int = 1,
) -> Tensor:
    """x⁺ = pᵀV, p = α-entmax(β·similarity(Ξ, x)), `max_steps` times, the last time from the values: queries
    `[..., dim]`, patterns Ξ `[n_patterns, dim]` and values V `[n_patterns, dim_out]` → `[..., dim_out]`.

    Gradients for all of them, and for β if it is a tensor. The backward holds `n_queries × n_patterns` weights.
    Where types differ, both ways are computed in that of the patterns, the result is of that of the queries, and each
    gradient of that of its tensor.

    >>> patterns = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
    >>> retrieve(torch.tensor([[0.9, 0.1]]), patterns, alpha=2.0, beta=4.0).detach()
    tensor([[1., 0.]])
    """
    if max_steps < 1:
        raise InvalidInput(f"retrieve: max_steps is {max_steps}; it must be at least 1")
    for tensor, what in ((queries, "the queries"), (patterns, "the patterns"), (values, "the values")):
        if tensor is not None:
            _on_cpu(tensor, what)
    if patterns.ndim != 2 or queries.ndim < 1 or queries.shape[-1] != patterns.shape[1]:
        raise InvalidInput(
            f"retrieve: queries of shape {list(queries.shape)} do not fit patterns of shape {list(patterns.shape)}; "
            "both need the same dim (last axis)"
        )
    beta = torch.as_tensor(beta, dtype=torch.float64)
    state = queries.reshape(-1, queries.shape[-1])
    for step in range(max_steps):
        readout = values if step == max_steps - 1 and values is not None else patterns
        keys, asked = _compared(patterns, state, similarity)
        state = _Retrieve.apply(asked, keys, readout, beta, alpha)
    return state.reshape(*queries.shape[:-1], state.shape[-1])


def _compared(patterns: Tensor, queries: Tensor, similarity: str) -> tuple[Tensor, Tensor]:
    """Keys and queries whose dot products are the scores, up to a number for each query."""
    if similarity == "dot":
        return patterns, queries
    if similarity == "cosine":
        return torch.nn.functional.normalize(patterns, dim=1), torch.nn.functional.normalize(queries, dim=1)
    if similarity == "euclidean":
        half = -0.5 * patterns.square().sum(1, keepdim=True)
        ones = torch.ones_like(queries[:, :1])
        return torch.cat([patterns, half], 1), torch.cat([queries, ones], 1)
    raise InvalidInput(f'retrieve: similarity is {similarity!r}; it must be "dot", "cosine" or "euclidean"')


def _on_cpu(tensor: Tensor, what: str) -> None:
    if tensor.device.type != "cpu":
        raise InvalidInput(f"{what} are on {tensor.device}; move them to the CPU first")


def _numbers(tensor: Tensor) -> Any:
    """The tensor's own memory where NumPy knows the type; float32 otherwise, exact for 16 bits."""
    tensor = tensor.detach()
    return (tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()).numpy()


def _like(array: Any, tensor: Tensor) -> Tensor:
    return torch.from_numpy(array).to(tensor.dtype)


class _Entmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, alpha: float | Tensor, dim: int) -> Tensor:
        ctx.alpha = _numbers(alpha) if isinstance(alpha, Tensor) else alpha
        ctx.dim = dim
        weights = _like(_entmax(_numbers(z), ctx.alpha, dim), z)
        ctx.save_for_backward(z, weights, alpha if isinstance(alpha, Tensor) else None)
        return weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> Any:
        z, weights, alpha = ctx.saved_tensors
        of_z = _like(_entmax_vjp(_numbers(z), _numbers(g), ctx.alpha, ctx.dim), z)
        of_alpha = None
        if alpha is not None and ctx.needs_input_grad[1]:
            slopes = _slopes(weights.double(), alpha.double(), ctx.dim)
            rows = (g.double() * slopes).sum(ctx.dim, keepdim=True)
            of_alpha = rows.sum_to_size(alpha.shape).to(alpha.dtype)
        return of_z, of_alpha, None


# Below this α − 1 the slope at 1 is nearer than the one that divides by its square: both are off by about 1e-5.
_NEAR_SOFTMAX = 1e-5


def _slopes(p: Tensor, alpha: Tensor, dim: int) -> Tensor:
    """∂p/∂α of every weight (Correia, Niculae, Martins 2019, prop. 1).

    It holds for weights that sum to 1 exactly. Rounded ones do not, and what they lack would be divided by (α−1)².
    """
    p = p / p.sum(dim, keepdim=True).clamp_min(1e-300)
    is_there = p > 0
    log = torch.where(is_there, p, 1.0).log()
    entropy = p * log
    skewed = torch.where(is_there, ((2.0 - alpha) * log).exp(), 0.0)
    skewed = skewed / skewed.sum(dim, keepdim=True).clamp_min(1e-300)
    square = entropy * log
    at_softmax = 0.5 * (p * square.sum(dim, keepdim=True) - square)
    is_near = alpha - 1.0 < _NEAR_SOFTMAX
    step = torch.where(is_near, 1.0, alpha - 1.0)
    slope = (p - skewed) / step**2 - (entropy - skewed * entropy.sum(dim, keepdim=True)) / step
    return torch.where(is_near, at_softmax, slope)


class _Retrieve(torch.autograd.Function):
    """One step by the dot product."""

    @staticmethod
    def forward(ctx: Any, queries: Tensor, patterns: Tensor, values: Tensor, beta: Tensor, alpha: float) -> Tensor:
        ctx.save_for_backward(queries, patterns, values, beta)
        ctx.alpha = alpha
        own = None if values is patterns else _numbers(values)
        memory = Memory(_numbers(patterns), own, alpha=alpha, beta=float(beta))
        return _like(memory.retrieve(_numbers(queries)), queries)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> Any:
        queries, patterns, values, beta = ctx.saved_tensors
        stored = _numbers(patterns.contiguous())
        # In the type of the patterns, as forward.
        read, asked, cotangent = (
            _numbers(tensor.contiguous()).astype(stored.dtype, copy=False) for tensor in (values, queries, g)
        )
        of_patterns, of_values, of_queries, of_beta = _native.retrieve_vjp(
            stored,
            read,
            asked,
            cotangent,
            Separation.entmax(ctx.alpha),
            float(beta),
            None,
        )
        return (
            _like(of_queries, queries),
            _like(of_patterns, patterns),
            _like(of_values, values),
            torch.as_tensor(of_beta, dtype=beta.dtype).reshape(beta.shape),
            None,
        )
