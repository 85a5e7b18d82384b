"""Damaged queries, and digits to damage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _native
from ._arrays import count, matrix


class Corruption:
    """A way in which queries are damaged, for values from 0 to 1.

    >>> digits, _ = digits()
    >>> Corruption.half_mask().apply(digits[:2], seed=0).shape
    (2, 784)
    """

    __slots__ = ("_corruption", "_made")

    def __init__(self, name: str, *parameters: Any) -> None:
        """By the name of one of the constructors below, which are there to be called."""
        make: Callable[..., _native.Corruption] = getattr(_native.Corruption, name)
        self._corruption = make(*parameters)
        self._made = (name, *parameters)

    @classmethod
    def half_mask(cls) -> Corruption:
        """Each number is set to 0 with probability 1/2 and doubled otherwise, as published."""
        return cls("half_mask")

    @classmethod
    def mask(cls, share: float) -> Corruption:
        """Each number is set to 0 with this probability."""
        return cls("mask", share)

    @classmethod
    def salt_and_pepper(cls, share: float) -> Corruption:
        """Each number is set to 0 or 1 with this probability, either as likely."""
        return cls("salt_and_pepper", share)

    @classmethod
    def gaussian_noise(cls, std: float) -> Corruption:
        """Gaussian noise of this standard deviation; results below 0 change sign, those above 1 become 1."""
        return cls("gaussian_noise", std)

    @classmethod
    def noise_of_norm(cls, norm: float) -> Corruption:
        """Gaussian noise of this Euclidean norm for each row."""
        return cls("noise_of_norm", norm)

    @classmethod
    def folded_noise_of_norm(cls, norm: float) -> Corruption:
        """Gaussian noise of this norm for each row; results below 0 change sign, those above 1 become 1."""
        return cls("folded_noise_of_norm", norm)

    @classmethod
    def occluded_half(cls, height: int, width: int) -> Corruption:
        """The lower half of each image, of this height and width, is set to 0."""
        return cls("occluded_half", height, width)

    @classmethod
    def occluded_region(cls, height: int, width: int, lines: tuple[int, int], columns: tuple[int, int]) -> Corruption:
        """A rectangle of each image is set to 0: the lines and columns from the first number up to the second."""
        return cls("occluded_region", height, width, lines, columns)

    def apply(self, patterns: Any, seed: int = 0) -> npt.NDArray[np.float32]:
        """Damaged copies of patterns, `[n_patterns, dim]`; row i depends on the seed, i and row i alone."""
        rows = matrix(patterns, "the patterns", np.float32)
        return self._corruption._apply(rows, count(seed, "seed"))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Corruption, self._made)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Corruption) and self._corruption == other._corruption

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return repr(self._corruption)


def digits() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """The first 1,000 test images of MNIST, `[1000, 784]` from 0 to 1, and the digits they show."""
    return _native.digits()
