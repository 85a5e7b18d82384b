"""The memory."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from . import _native
from ._arrays import Array, as_numpy, bools, count, matrix, states
from ._corruption import Corruption
from ._native import InvalidInput, Separation

Similarity = Literal["dot", "cosine", "euclidean", "manhattan", "channel"]
Loss = Literal["average", "max", "whitening", "denoising", "auto"]
Optimizer = Literal["gradient-descent", "adam"]
Ids = Sequence[int] | Sequence[str]
Progress = Callable[[int, int, float], object]


@dataclass(frozen=True)
class Report:
    """How queries ran: an entry for each, `[n_queries]`."""

    steps: npt.NDArray[np.int64]
    """Updates made, at least 1."""
    residual: npt.NDArray[np.float64]
    """‖x⁺ − x‖ of the last update."""
    support_size: npt.NDArray[np.int64]
    """Stored patterns with weight above 0 in the last update."""
    perplexity: npt.NDArray[np.float64]
    """exp(−Σ p ln p): the effective number of patterns that were recalled together."""
    converged: npt.NDArray[np.bool_]
    """Whether the last update moved the state by no more than the tolerance."""
    energy: list[list[float]] | None = None
    """The energy of the query and of each state after it, if asked for."""
    weights: Array | None = None
    """The weights of the last update, `[n_queries, n_patterns]`, if asked for."""


class Memory:
    """Stored patterns with the model that recalls them: x⁺ = pᵀV, p = α-entmax(β·similarity(Ξ, x)).

    Rows are patterns, `[n_patterns, dim]`. They are copied once and kept as `float32` or `float64`, whichever holds
    what is given exactly; integers beyond 2⁵³ and longer floats are rounded to `float64`. Queries are turned into that
    type. Whatever an array is, NumPy's, PyTorch's on the CPU or JAX's, it is read without a copy if it is in C order
    and of that type. Results are NumPy arrays. Any number of threads may use one memory: each call sees one version of
    it, and the interpreter is released while it computes.

    Parameters
    ----------
    patterns : array `[n_patterns, dim]`
    values : array `[n_patterns, dim_out]`, recalled instead of the patterns
    similarity : `"dot"` ⟨ξ,x⟩, `"cosine"`, `"euclidean"` −½‖ξ−x‖², `"manhattan"` −‖ξ−x‖₁, or `"channel"`, the
        likelihood of the `corruption` that queries have
    alpha : α of α-entmax, at least 1: softmax at 1, sparsemax at 2
    beta : β, the factor on the scores, above 0
    separation : another family than α-entmax, such as `Separation.top_k(5)`; `alpha` is then not looked at
    feature_map : a W that is learned already, `[dim_features, dim]`: K(ξ,x) = ⟨Wξ,Wx⟩
    corruption : for `"channel"` alone
    ids : a list with a different integer or name for each pattern
    threads : threads of this call; results do not depend on their number

    >>> patterns = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
    >>> Memory(patterns, alpha=2.0, beta=2.0).retrieve([1.0, 0.0, 0.0, 0.0])
    array([1., 1., 0., 0.])
    """

    __slots__ = ("_native",)

    def __init__(
        self,
        patterns: Any,
        values: Any = None,
        similarity: Similarity = "dot",
        alpha: float = 1.0,
        beta: float = 1.0,
        *,
        separation: Separation | None = None,
        feature_map: Any = None,
        corruption: Corruption | None = None,
        ids: Ids | None = None,
        threads: int | None = None,
    ) -> None:
        rows = matrix(patterns, "the patterns")
        if values is not None:
            values = matrix(values, "the values", rows.dtype)
        self._native = _native.Memory(
            rows,
            values,
            similarity,
            Separation.entmax(alpha) if separation is None else separation,
            beta,
            None if feature_map is None else matrix(feature_map, "the feature map", rows.dtype),
            None if corruption is None else corruption._corruption,
            _listed(ids),
            count(threads, "threads"),
        )

    @classmethod
    def _holding(cls, memory: _native.Memory) -> Memory:
        self = cls.__new__(cls)
        self._native = memory
        return self

    # Learning

    def fit(
        self,
        loss: Loss = "average",
        *,
        max_steps: int | None = None,
        batch: int | None = None,
        optimizer: Optimizer | None = None,
        rate: float | None = None,
        tolerance: float | None = None,
        dim_features: int | None = None,
        keep_rows: bool = False,
        ridge: float | None = None,
        beta: float | None = None,
        seed: int = 0,
        corruption: Corruption | None = None,
        progress: Progress | None = None,
        threads: int | None = None,
    ) -> Memory:
        """Stage I: learns from the stored patterns how to compare them. Returns the memory itself.

        `"average"` and `"max"` learn the W of U-Hop by a separation loss, `"whitening"` has it in closed form,
        `"denoising"` learns from damaged copies, `"auto"` tries every similarity on damaged copies and keeps the
        best. Options and their defaults are those of the command `uhop fit`:

        max_steps : steps of learning (100; 200 for denoising)
        batch : patterns that a step sees; damaged copies for denoising (all; 256)
        optimizer : `"gradient-descent"`, or `"adam"`, the default of denoising
        rate : 10 for max, 1 for average; 0.01 for adam, 0.1 for denoising
        tolerance : stops when a step changes the loss by at most this
        dim_features : rows of W (as a pattern has entries)
        keep_rows : leaves the rows of W as learned instead of normalising them
        ridge : λ of whitening (the best for damaged copies)
        beta : β of the memory afterwards (the one that was found with what was learned, or the one it has)
        seed : of the start of W, the batches and the damage
        corruption : how copies are damaged (a mix of several)
        progress : `progress(step, max_steps, loss)`, called after each step
        threads : threads of this call

        Ctrl-C ends it, and so does an exception of `progress`; the memory is then as before. Whitening and auto have
        no steps: what they are computing goes on unheard to its end.

        >>> memory = Memory(np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])).fit("max", max_steps=5)
        >>> memory.similarity
        'kernel'
        """
        self._native.fit(
            loss,
            count(max_steps, "max_steps"),
            count(batch, "batch"),
            optimizer,
            rate,
            tolerance,
            count(dim_features, "dim_features"),
            keep_rows,
            ridge,
            beta,
            count(seed, "seed"),
            None if corruption is None else corruption._corruption,
            progress,
            count(threads, "threads"),
        )
        return self

    # Recall

    @overload
    def retrieve(
        self,
        queries: Any,
        mask: Any = None,
        max_steps: int = 1,
        tolerance: float | None = None,
        return_report: Literal[False] = False,
        *,
        threads: int | None = None,
    ) -> Array: ...
    @overload
    def retrieve(
        self,
        queries: Any,
        mask: Any = None,
        max_steps: int = 1,
        tolerance: float | None = None,
        *,
        return_report: Literal[True],
        record_energy: bool = False,
        record_weights: bool = False,
        threads: int | None = None,
    ) -> tuple[Array, Report]: ...
    def retrieve(
        self,
        queries: Any,
        mask: Any = None,
        max_steps: int = 1,
        tolerance: float | None = None,
        return_report: bool = False,
        *,
        record_energy: bool = False,
        record_weights: bool = False,
        threads: int | None = None,
    ) -> Any:
        """Recalls queries, `[n_queries, dim]` → `[n_queries, dim_out]`, or a single one, `[dim]` → `[dim_out]`.

        `mask` says which entries of the queries were observed: true or 1 for those, in the shape of the queries or as
        one row for all. The others may hold anything, NaN too; nothing depends on them. Not for kernels.

        Each query is updated until ‖x⁺ − x‖ ≤ `tolerance`, at most `max_steps` times. With `return_report` the result
        is `(retrieved, report)`, a `Report`; `record_energy` and `record_weights` add to it.

        Many queries are recalled in batches, of 256 or more; Ctrl-C ends the recall between two of them.
        """
        rows, is_single = states(queries, "the queries", self.dtype)
        observed = None if mask is None else np.atleast_2d(bools(mask, "the mask"))
        if (record_energy or record_weights) and not return_report:
            raise InvalidInput("retrieve: what is recorded is in the report; set return_report=True")
        retrieved, report = self._native.retrieve(
            rows,
            observed,
            count(max_steps, "max_steps"),
            tolerance,
            record_energy,
            record_weights,
            count(threads, "threads"),
        )
        retrieved = retrieved[0] if is_single else retrieved
        fields: dict[str, Any] = dict(report)
        return (retrieved, Report(**fields)) if return_report else retrieved

    def scores(self, states: Any, *, threads: int | None = None) -> Array:
        """The scores of states against every pattern, before β: `[n_queries, dim]` → `[n_queries, n_patterns]`."""
        return self._of_states(self._native.scores, states, threads)

    def weights(self, queries: Any, *, threads: int | None = None) -> Array:
        """The weights p = separation(β·scores): `[n_queries, dim]` → `[n_queries, n_patterns]`.

        >>> Memory(np.eye(2), alpha=2.0).weights([0.5, 0.5])
        array([0.5, 0.5])
        """
        return self._of_states(self._native.weights, queries, threads)

    def energy(self, states: Any, *, threads: int | None = None) -> Array:
        """E(x) = ½K(x,x) − β⁻¹ Ψ*(βK(Ξ,x)): `[n_queries, dim]` → `[n_queries]` in `float64`. One update never raises
        it. For dot, kernel and euclidean similarity."""
        return self._of_states(self._native.energy, states, threads)

    def _of_states(self, method: Callable[..., Array], given: Any, threads: int | None) -> Array:
        rows, is_single = states(given, "the states", self.dtype)
        result = method(rows, count(threads, "threads"))
        return result[0] if is_single else result

    # Theory

    def separation(self, *, threads: int | None = None) -> npt.NDArray[np.float64]:
        """Δ_μ = s(ξ_μ, ξ_μ) − max over ν ≠ μ of s(ξ_ν, ξ_μ) of every pattern, `[n_patterns]`.

        >>> Memory([[2.0, 0.0], [1.0, 1.0]]).separation()
        array([2., 0.])
        """
        return self._native.separation(count(threads, "threads"))

    def certified(self, *, threads: int | None = None) -> npt.NDArray[np.bool_] | None:
        """Which patterns are certain to be recalled exactly in one step, `[n_patterns]`: β·Δ_μ ≥ 1/(α−1). None for
        softmax, whose weights never reach 0."""
        return self._native.certified(count(threads, "threads"))

    # Changes

    def add(self, patterns: Any, values: Any = None, ids: Ids | None = None, *, threads: int | None = None) -> Memory:
        """Stores more patterns behind those that are there, with values and ids if those have them. A learned W stays,
        but for that of whitening, which is made anew. Returns the memory itself."""
        rows = matrix(patterns, "the patterns", self.dtype)
        if values is not None:
            values = matrix(values, "the values", self.dtype)
        self._native.add(rows, values, _listed(ids), count(threads, "threads"))
        return self

    def remove(self, rows: Any = None, *, ids: Ids | None = None, threads: int | None = None) -> Memory:
        """Removes patterns by their rows, a whole number or several, counted from 0, or by their ids, a list; those
        behind them move up. A mask is refused: of one give `np.flatnonzero(mask)`. Returns the memory itself.

        >>> Memory(np.eye(4)).remove(np.flatnonzero([False, False, False, True])).n_patterns
        3
        """
        rows = None if rows is None else _rows(rows)
        self._native.remove(rows, _listed(ids), count(threads, "threads"))
        return self

    def copy(self) -> Memory:
        """A memory of its own, which does not follow later changes of this one."""
        return self._holding(self._native.copy())

    # Files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the memory file, the one that the command `uhop` reads and writes; its name ends in `.safetensors`. It
        appears complete or not at all."""
        self._native.save(os.fspath(path))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, trust: bool = False) -> Memory:
        """Opens a memory file, with the changes in its journal. With `trust` its numbers are not compared with their
        checksums, so that a large one opens at once."""
        return cls._holding(_native.Memory.load(os.fspath(path), trust))

    def __reduce__(self) -> tuple[Any, ...]:
        return (_from_bytes, (self._native.to_bytes(),))

    # What is in it

    @property
    def patterns(self) -> Array:
        """The stored patterns, `[n_patterns, dim]`, copied."""
        return self._native.patterns()

    @property
    def values(self) -> Array | None:
        """The stored values, `[n_patterns, dim_out]`, copied; None where patterns recall themselves."""
        return self._native.values()

    @property
    def ids(self) -> list[int] | list[str] | None:
        """The ids of the patterns, if they have any."""
        return self._native.ids()

    @property
    def feature_map(self) -> Array | None:
        """W of a kernel, `[dim_features, dim]`, copied."""
        return self._native.feature_map()

    @property
    def losses(self) -> npt.NDArray[np.float64]:
        """The loss before the first step of Stage I and after each."""
        return self._native.losses()

    @property
    def loss(self) -> str | None:
        """What was learned: `"average"`, `"max"`, `"whitening"`, `"denoising"`, or None."""
        return self._native.loss()

    @property
    def tried(self) -> list[tuple[str, float, float]] | None:
        """What `fit("auto")` chose from, the best first: similarity, β, mean squared error of a damaged copy."""
        return self._native.tried()

    @property
    def n_patterns(self) -> int:
        """The number of stored patterns."""
        return self._native.shape()[0]

    @property
    def dim(self) -> int:
        """The number of entries of a pattern."""
        return self._native.shape()[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """`float32` or `float64`."""
        return np.dtype(self._native.dtype())

    @property
    def similarity(self) -> str:
        """`"dot"`, `"cosine"`, `"euclidean"`, `"manhattan"`, `"kernel"`, `"asymmetric"` or `"channel"`."""
        return self._native.similarity()

    @property
    def family(self) -> Separation:
        """How scores become weights."""
        return self._native.family()

    @property
    def alpha(self) -> float | None:
        """α of α-entmax; None for another family."""
        return self.family.alpha

    @property
    def beta(self) -> float:
        """β, the factor on the scores."""
        return self._native.beta()

    def __len__(self) -> int:
        return self.n_patterns

    def __repr__(self) -> str:
        return (
            f"Memory({self.n_patterns} × {self.dim} {self.dtype}, {self.similarity}, "
            f"{self.family!r}, beta={self.beta:g})"
        )


def _rows(given: Any) -> list[int]:
    """Rows as the compiled half takes them. What is removed cannot be had back, so that nothing is rounded, and no
    mask or text is read as numbers."""
    if isinstance(given, str | bytes):
        raise InvalidInput(
            f"remove: the rows are {given!r}; give whole numbers counted from 0, and ids as a list, ids=[{given!r}]"
        )
    if _is_array(given):
        given = as_numpy(given, "the rows")
        if given.dtype == np.bool_:
            raise InvalidInput(
                f"remove: the rows are a mask, bools of shape {list(given.shape)}; give np.flatnonzero(mask)"
            )
        given = given.tolist()
    rows = []
    for row in given if isinstance(given, Iterable) else [given]:
        if not _is_whole(row):
            raise InvalidInput(
                f"remove: a row is {row!r}; give whole numbers counted from 0, and of a mask np.flatnonzero(mask)"
            )
        number = operator.index(row)
        if not 0 <= number < 2**64:
            raise InvalidInput(f"remove: a row is {number}; rows are counted from 0")
        rows.append(number)
    return rows


def _listed(ids: Ids | None) -> Any:
    """Ids as the compiled half takes them, of an array too."""
    if ids is None:
        return None
    given: Any = as_numpy(ids, "the ids").tolist() if _is_array(ids) else ids
    # A text would be taken letter by letter.
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise InvalidInput(f"the ids are {given!r}; give a list of ids, [{given!r}]")
    listed = list(given)
    # By their types, which are few, as the ids may be many.
    kinds = {type(item): item for item in listed}.values()
    for item in kinds:
        if not isinstance(item, str) and not _is_whole(item):
            raise InvalidInput(f"an id is {item!r}; give whole numbers, or names")
    if len({isinstance(item, str) for item in kinds}) > 1:
        raise InvalidInput("the ids are names and numbers; give all of one kind")
    return listed


def _is_array(given: Any) -> bool:
    return hasattr(given, "__array_interface__") or hasattr(given, "__dlpack__")


def _is_whole(item: Any) -> bool:
    """Whether this is a whole number. Neither a bool, which Python counts as one, nor a float that happens to be."""
    if isinstance(item, bool) or str(getattr(item, "dtype", "")).endswith("bool"):
        return False
    try:
        operator.index(item)
    except TypeError:
        return False
    return True


def _from_bytes(file: bytes) -> Memory:
    return Memory._holding(_native.Memory.from_bytes(file))
