"""
The compiled half of the package `uhop`; use what `uhop` exports.
"""

import typing

import numpy
from _typeshed import SupportsGetItem
from os import PathLike
from typing import Any, SupportsFloat, SupportsIndex, final

@final
class Corruption:
    """
    A way in which queries are corrupted. Values are meant to lie between 0 and 1.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    def _apply(self, /, patterns: "numpy.ndarray", seed: SupportsIndex = 0) -> "numpy.ndarray":
        """
        Corrupted copies of the rows of a `float32` matrix.
        """
    @staticmethod
    def folded_noise_of_norm(norm: SupportsFloat | SupportsIndex) -> Corruption:
        """
        Gaussian noise of this Euclidean norm is added to each row; results below 0 change sign, those
        above 1 become 1.
        """
    @staticmethod
    def gaussian_noise(std: SupportsFloat | SupportsIndex) -> Corruption:
        """
        Gaussian noise of this standard deviation is added; results below 0 change sign, those above 1
        become 1.
        """
    @staticmethod
    def half_mask() -> Corruption:
        """
        Each number is set to 0 with probability 1/2 and doubled otherwise, as published.
        """
    @staticmethod
    def mask(share: SupportsFloat | SupportsIndex) -> Corruption:
        """
        Each number is set to 0 with this probability.
        """
    @staticmethod
    def noise_of_norm(norm: SupportsFloat | SupportsIndex) -> Corruption:
        """
        Gaussian noise of this Euclidean norm is added to each row.
        """
    @staticmethod
    def occluded_half(height: SupportsIndex, width: SupportsIndex) -> Corruption:
        """
        The lower half of each image of this height and width is set to 0.
        """
    @staticmethod
    def occluded_region(height: SupportsIndex, width: SupportsIndex, lines: tuple[SupportsIndex, SupportsIndex], columns: tuple[SupportsIndex, SupportsIndex]) -> Corruption:
        """
        A rectangle of each image of this height and width is set to 0: the lines and columns from the first number up to
        the second.
        """
    @staticmethod
    def salt_and_pepper(share: SupportsFloat | SupportsIndex) -> Corruption:
        """
        Each number is set to 0 or 1 with this probability, either as likely.
        """

@final
class Memory:
    """
    Stored patterns with the model that recalls them.
    """
    def __new__(cls, /, patterns: "numpy.ndarray", values: "numpy.ndarray | None", similarity: str, separation: Separation, beta: SupportsFloat | SupportsIndex, feature_map: "numpy.ndarray | None", corruption: Corruption | None, ids: "list[int] | list[str] | None", threads: SupportsIndex | None) -> Memory:
        """
        Stores patterns, `[n_patterns, dim]` of `float32` or `float64`.
        """
    def add(self, /, patterns: "numpy.ndarray", values: "numpy.ndarray | None", ids: "list[int] | list[str] | None", threads: SupportsIndex | None) -> None:
        """
        Adds patterns behind those that are there.
        """
    def beta(self, /) -> float:
        """
        β.
        """
    def certified(self, /, threads: SupportsIndex | None) -> "numpy.ndarray | None":
        """
        Which stored patterns are certified to be recalled exactly, if there are certificates.
        """
    def copy(self, /) -> Memory:
        """
        A memory of its own with what is in this one; what is large is shared.
        """
    def dtype(self, /) -> str:
        """
        `"float32"` or `"float64"`.
        """
    def energy(self, /, states: "numpy.ndarray", threads: SupportsIndex | None) -> "numpy.ndarray":
        """
        The energy of every state.
        """
    def family(self, /) -> Separation:
        """
        How scores become weights.
        """
    def feature_map(self, /) -> "numpy.ndarray | None":
        """
        W of a learned feature map, `[dim_features, dim]`, copied.
        """
    def fit(self, /, loss: str, max_steps: SupportsIndex | None, batch: SupportsIndex | None, optimizer: str | None, rate: SupportsFloat | SupportsIndex | None, tolerance: SupportsFloat | SupportsIndex | None, dim_features: SupportsIndex | None, keep_rows: bool, ridge: SupportsFloat | SupportsIndex | None, beta: SupportsFloat | SupportsIndex | None, seed: SupportsIndex, corruption: Corruption | None, progress: "typing.Callable[[int, int, float], object] | None", threads: SupportsIndex | None) -> None:
        """
        Stage I.
        """
    @staticmethod
    def from_bytes(bytes: SupportsGetItem[int, SupportsIndex]) -> Memory:
        """
        The memory in the bytes of a file.
        """
    def ids(self, /) -> "list[int] | list[str] | None":
        """
        The ids of the patterns, if there are any.
        """
    @staticmethod
    def load(path: str | PathLike[str], trust: bool) -> Memory:
        """
        Opens a memory file, with the changes in its journal. With `trust`, patterns are not compared with their
        checksums, so that a large file opens at once.
        """
    def loss(self, /) -> str | None:
        """
        What was learned, as the file says.
        """
    def losses(self, /) -> "numpy.ndarray":
        """
        The loss before the first step of Stage I and after each; empty where there were no steps.
        """
    def patterns(self, /) -> "numpy.ndarray":
        """
        The stored patterns, copied.
        """
    def remove(self, /, rows: SupportsGetItem[int, SupportsIndex] | None, ids: "list[int] | list[str] | None", threads: SupportsIndex | None) -> None:
        """
        Removes patterns, by their rows or their ids.
        """
    def retrieve(self, /, queries: "numpy.ndarray", observed: "numpy.ndarray | None", max_steps: SupportsIndex, tolerance: SupportsFloat | SupportsIndex | None, record_energy: bool, record_weights: bool, threads: SupportsIndex | None) -> "tuple[numpy.ndarray, dict[str, numpy.ndarray]]":
        """
        Recalls queries: what is recalled, and a dictionary of reports and of the weights if they are kept.
        """
    def save(self, /, path: str | PathLike[str]) -> None:
        """
        Writes the memory file.
        """
    def scores(self, /, states: "numpy.ndarray", threads: SupportsIndex | None) -> "numpy.ndarray":
        """
        The scores of every state, before β.
        """
    def separation(self, /, threads: SupportsIndex | None) -> "numpy.ndarray":
        """
        The separation of every stored pattern.
        """
    def shape(self, /) -> tuple[int, int]:
        """
        `[n_patterns, dim]`.
        """
    def similarity(self, /) -> str:
        """
        The similarity's name.
        """
    def to_bytes(self, /) -> bytes:
        """
        The bytes of the memory file.
        """
    def tried(self, /) -> list[tuple[str, float, float]] | None:
        """
        What `fit("auto")` tried, the best first: name, β, mean squared error of a copy.
        """
    def values(self, /) -> "numpy.ndarray | None":
        """
        The stored values, copied; nothing for an auto-associative memory.
        """
    def weights(self, /, states: "numpy.ndarray", threads: SupportsIndex | None) -> "numpy.ndarray":
        """
        The weights of every state.
        """

@final
class Separation:
    """
    How scores become weights: non-negative, summing to 1, larger for larger scores.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __reduce__(self, /) -> tuple[Any, tuple[Any]]:
        """
        The constructor of the family and its number, for copies and pickles.
        """
    def __repr__(self, /) -> str: ...
    def _vjp(self, /, scores: "numpy.ndarray", cotangent: "numpy.ndarray", threads: SupportsIndex | None) -> "numpy.ndarray":
        """
        The vector-Jacobian product of every row.
        """
    def _weights(self, /, scores: "numpy.ndarray", threads: SupportsIndex | None) -> "numpy.ndarray":
        """
        The weights of every row of scores.
        """
    @property
    def alpha(self, /) -> float | None:
        """
        α for a member of the α-entmax family.
        """
    @property
    def degree(self, /) -> int | None:
        """
        The degree of a polynomial.
        """
    @staticmethod
    def entmax(alpha: SupportsFloat | SupportsIndex) -> Separation:
        """
        α-entmax for `alpha` of at least 1: softmax at 1, sparsemax at 2.
        """
    @property
    def gamma(self, /) -> float | None:
        """
        γ of γ-normmax.
        """
    @property
    def k(self, /) -> int | None:
        """
        How many scores a top-k softmax takes.
        """
    @property
    def margin(self, /) -> float | None:
        """
        How far below the best score weights become 0, if they do.
        """
    @staticmethod
    def normmax(gamma: SupportsFloat | SupportsIndex) -> Separation:
        """
        γ-normmax for `gamma` above 1.
        """
    @staticmethod
    def polynomial(degree: SupportsIndex) -> Separation:
        """
        The normalised rectified polynomial of this degree.
        """
    @staticmethod
    def top_k(k: SupportsIndex) -> Separation:
        """
        Softmax over the `k` largest scores.
        """

def digits() -> "tuple[numpy.ndarray, numpy.ndarray]":
    """
    The first 1,000 test images of MNIST, `[1000, 784]` with values from 0 to 1, and the digits they show.
    """

def entmax_rows(scores: "numpy.ndarray", alphas: "numpy.ndarray", threads: SupportsIndex | None) -> "numpy.ndarray":
    """
    α-entmax with an α for each row.
    """

def entmax_rows_vjp(scores: "numpy.ndarray", cotangent: "numpy.ndarray", alphas: "numpy.ndarray", threads: SupportsIndex | None) -> "numpy.ndarray":
    """
    The vector-Jacobian product of α-entmax with an α for each row.
    """

def retrieve_vjp(patterns: "numpy.ndarray", values: "numpy.ndarray", queries: "numpy.ndarray", cotangent: "numpy.ndarray", separation: Separation, beta: SupportsFloat | SupportsIndex, threads: SupportsIndex | None) -> "tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray, float]":
    """
    The vector-Jacobian product of x⁺ = pᵀV, p = separation(β·Ξx): gradients for the patterns, the values, the
    queries, and β.
    """

def softmax1(scores: "numpy.ndarray", threads: SupportsIndex | None) -> "numpy.ndarray":
    """
    exp(z) / (1 + Σ exp(z)) of every row.
    """

def softmax1_vjp(scores: "numpy.ndarray", cotangent: "numpy.ndarray", threads: SupportsIndex | None) -> "numpy.ndarray":
    """
    The vector-Jacobian product of softmax-1.
    """

class Busy(OSError):
    """
    Another program changes this memory file, or another thread this memory.
    """

class Diverged(ArithmeticError):
    """
    Stage I left the finite numbers; use a smaller rate.
    """

class FileError(OSError):
    """
    A file cannot be read or written.
    """

class InvalidInput(ValueError):
    """
    What was given is refused: its shape, a number that is not finite, a parameter out of its domain, or a combination without meaning.
    """

class MalformedFile(ValueError):
    """
    A file is not a memory, is damaged, or was written by a newer version.
    """
