"""Separations of scores, and their vector-Jacobian products, along any axis of arrays of any rank.

Weights have the type of the scores (`float64` for integers): each row is computed in `float64` and rounded once,
so that half precision loses nothing on the way. A score of −∞ is masked: its weight is 0, the others are as if it
were not there; a row in which everything is masked has weights that are all 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _native
from ._arrays import Array, as_numpy, count, dtype_for, is_half, native
from ._native import InvalidInput, Separation


class _Rows:
    """Scores as rows along an axis, and the way back."""

    def __init__(self, z: Any, axis: int, what: str) -> None:
        self.given = as_numpy(z, what)
        if self.given.ndim == 0:
            raise InvalidInput(f"{what} are a single number; give an array")
        if not -self.given.ndim <= axis < self.given.ndim:
            raise InvalidInput(f"axis is {axis}; {what} have {self.given.ndim} axes")
        self.axis = axis
        computed = dtype_for(self.given, what)
        # What is rounded to 16 bits is rounded once.
        is_exact = is_half(self.given)
        self.computed = np.dtype(np.float64) if is_exact else computed
        self.dtype = self.given.dtype.newbyteorder("=") if is_exact or self._is_float else self.computed
        self.moved = np.moveaxis(self.given, axis, -1)
        if self.moved.shape[-1] == 0:
            raise InvalidInput(f"{what} have shape {list(self.given.shape)}; an axis of length 0 has no weights")
        self.rows = self.as_rows(self.moved)

    @property
    def _is_float(self) -> bool:
        return self.given.dtype.name in ("float32", "float64")

    def as_rows(self, moved: Array) -> Array:
        """`[n_rows, n]`."""
        return native(moved.reshape(-1, moved.shape[-1]), self.computed)

    def back(self, rows: Array) -> Array:
        """An array of the shape and type of what was given."""
        shaped = rows.reshape(self.moved.shape)
        return np.moveaxis(shaped, -1, self.axis).astype(self.dtype, copy=False)

    def check(self) -> None:
        """Every score is finite, or −∞."""
        _refuse(self.given, ~(self.given < np.inf), "the scores", "finite, or −∞ where it is masked")

    def cotangent(self, g: Any) -> Array:
        """The cotangents as rows beside the scores."""
        given = as_numpy(g, "the cotangents")
        if given.shape != self.given.shape:
            raise InvalidInput(
                f"the cotangents of shape {list(given.shape)} do not fit the scores of shape "
                f"{list(self.given.shape)}; both need the same shape"
            )
        _refuse(given, ~np.isfinite(given), "the cotangents", "finite")
        return self.as_rows(np.moveaxis(given, self.axis, -1))

    def alphas(self, alpha: Any) -> Array:
        """An α for each row, from an array that broadcasts to the scores with a single entry along the axis."""
        given = np.asarray(as_numpy(alpha, "alpha"), np.float64)
        shape = list(self.given.shape)
        shape[self.axis] = 1
        try:
            whole = np.broadcast_to(given, shape)
        except ValueError:
            raise InvalidInput(
                f"alpha of shape {list(given.shape)} does not fit the scores of shape {list(self.given.shape)}; "
                f"it must broadcast to {shape}, one for each row"
            ) from None
        return native(np.moveaxis(whole, self.axis, -1).reshape(-1), np.float64)


def _refuse(given: Array, bad: Array, what: str, rule: str) -> None:
    if bad.any():
        index = np.argwhere(bad)[0].tolist()
        raise InvalidInput(f"entry {index} of {what} is {given[tuple(index)]}; every entry must be {rule}")


def _weights(z: Any, axis: int, run: Callable[[_Rows], Array]) -> Array:
    rows = _Rows(z, axis, "the scores")
    rows.check()
    return rows.back(run(rows))


def _is_one(alpha: Any) -> bool:
    return np.ndim(alpha) == 0


def entmax(z: Any, alpha: Any = 1.5, axis: int = -1, *, threads: int | None = None) -> Array:
    """α-entmax: p = argmax over the simplex of ⟨p,z⟩ − Ψ_α(p); softmax at α = 1, sparsemax at α = 2.

    `alpha` is a number of at least 1, or an array that broadcasts to the shape of `z` with a single entry along
    `axis`: one for each row. Exact for α = 1, 1.5 and 2, to machine precision for any other (Peters, Niculae,
    Martins 2019).

    >>> entmax(np.array([-2.0, 0.0, 0.5]), alpha=2.0)
    array([0.  , 0.25, 0.75])
    """
    if _is_one(alpha):
        return separate(Separation.entmax(float(alpha)), z, axis, threads=threads)
    return _weights(z, axis, lambda rows: _native.entmax_rows(rows.rows, rows.alphas(alpha), count(threads, "threads")))


def entmax_vjp(z: Any, cotangent: Any, alpha: Any = 1.5, axis: int = -1, *, threads: int | None = None) -> Array:
    """Jᵀg of `entmax`, J = ∂p/∂z and g the cotangent, in the shape of `z`; 0 for masked scores."""
    if _is_one(alpha):
        return separate_vjp(Separation.entmax(float(alpha)), z, cotangent, axis, threads=threads)

    def run(rows: _Rows) -> Array:
        g = rows.cotangent(cotangent)
        return _native.entmax_rows_vjp(rows.rows, g, rows.alphas(alpha), count(threads, "threads"))

    return _weights(z, axis, run)


def sparsemax(z: Any, axis: int = -1, *, threads: int | None = None) -> Array:
    """Sparsemax: the Euclidean projection onto the simplex (Martins, Astudillo 2016).

    >>> sparsemax(np.array([0.25, 0.75, -1.0]))
    array([0.25, 0.75, 0.  ])
    """
    return entmax(z, 2.0, axis, threads=threads)


def sparsemax_vjp(z: Any, cotangent: Any, axis: int = -1, *, threads: int | None = None) -> Array:
    """Jᵀg of `sparsemax`."""
    return entmax_vjp(z, cotangent, 2.0, axis, threads=threads)


def entmax15(z: Any, axis: int = -1, *, threads: int | None = None) -> Array:
    """1.5-entmax, in closed form.

    >>> entmax15(np.array([0.0, 2.0]))
    array([0., 1.])
    """
    return entmax(z, 1.5, axis, threads=threads)


def entmax15_vjp(z: Any, cotangent: Any, axis: int = -1, *, threads: int | None = None) -> Array:
    """Jᵀg of `entmax15`."""
    return entmax_vjp(z, cotangent, 1.5, axis, threads=threads)


def softmax1(z: Any, axis: int = -1, *, threads: int | None = None) -> Array:
    """exp(z_i) / (1 + Σ exp(z_j)): softmax with a score of 0 more, so that weights may sum to less than 1
    (Hu et al. 2024, OutEffHop).

    >>> softmax1(np.array([0.0, 0.0])).round(3)
    array([0.333, 0.333])
    """
    return _weights(z, axis, lambda rows: _native.softmax1(rows.rows, count(threads, "threads")))


def softmax1_vjp(z: Any, cotangent: Any, axis: int = -1, *, threads: int | None = None) -> Array:
    """Jᵀg of `softmax1`."""
    return _weights(
        z, axis, lambda rows: _native.softmax1_vjp(rows.rows, rows.cotangent(cotangent), count(threads, "threads"))
    )


def top_k_softmax(z: Any, k: int, axis: int = -1, *, threads: int | None = None) -> Array:
    """Softmax over the `k` largest scores; every other weight is exactly 0. Of equal scores the earlier ones are
    taken. Every row needs at least `k` scores that are not masked.

    >>> top_k_softmax(np.array([1.0, 3.0, 2.0, 3.0]), 2)
    array([0. , 0.5, 0. , 0.5])
    """
    return separate(Separation.top_k(count(k, "k")), z, axis, threads=threads)


def top_k_softmax_vjp(z: Any, cotangent: Any, k: int, axis: int = -1, *, threads: int | None = None) -> Array:
    """Jᵀg of `top_k_softmax`."""
    return separate_vjp(Separation.top_k(count(k, "k")), z, cotangent, axis, threads=threads)


def separate(separation: Separation, z: Any, axis: int = -1, *, threads: int | None = None) -> npt.NDArray[Any]:
    """The weights of any separation."""
    return _weights(z, axis, lambda rows: separation._weights(rows.rows, count(threads, "threads")))


def separate_vjp(
    separation: Separation, z: Any, cotangent: Any, axis: int = -1, *, threads: int | None = None
) -> npt.NDArray[Any]:
    """Jᵀg of any separation."""
    return _weights(
        z, axis, lambda rows: separation._vjp(rows.rows, rows.cotangent(cotangent), count(threads, "threads"))
    )
