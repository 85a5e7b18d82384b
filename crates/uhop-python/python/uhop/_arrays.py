"""Whatever holds numbers, as the arrays that the compiled half takes: C order, native bytes, aligned."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from ._native import InvalidInput

Array = npt.NDArray[Any]

# Exact in float32.
_SMALL = ("bool", "int8", "uint8", "int16", "uint16")


def as_numpy(x: Any, what: str) -> Array:
    """Any array, as NumPy's, without a copy where there is a way: the buffer protocol or DLPack."""
    if isinstance(x, np.ma.MaskedArray):
        raise InvalidInput(
            f"{what} are a masked array, whose hidden numbers would be used; give the data, and to retrieve a mask"
        )
    if isinstance(x, np.ndarray) or not hasattr(x, "__dlpack__"):
        return _plain(x, what)
    if hasattr(x, "detach"):
        x = x.detach()
    device = getattr(getattr(x, "device", None), "type", "cpu")
    if device != "cpu":
        raise InvalidInput(f"{what} are on {device}; move them to the CPU first")
    try:
        return np.from_dlpack(x)
    except (BufferError, RuntimeError, TypeError):
        # A type that NumPy does not have, such as bfloat16 of PyTorch; what JAX has, NumPy takes.
        return np.from_dlpack(x.float()) if hasattr(x, "float") else _plain(x, what)


def _plain(x: Any, what: str) -> Array:
    try:
        return np.asarray(x)
    except (TypeError, ValueError) as error:
        # JAX says more, in lines of its own, of an array that is being traced.
        reason, _, _ = str(error).partition("\n")
        raise InvalidInput(f"{what} are no array: {reason}") from None


def dtype_for(x: Array, what: str) -> np.dtype[Any]:
    """The type that a memory keeps these numbers in: float32 or float64, whichever holds them exactly. Integers beyond
    2⁵³ and floats longer than 64 bits are rounded to float64."""
    name = x.dtype.name
    if name in ("float64", "float32"):
        return np.dtype(name)
    if name in _SMALL or is_half(x):
        return np.dtype(np.float32)
    if x.dtype.kind in "iuf":
        return np.dtype(np.float64)
    raise InvalidInput(f"{what} have dtype {x.dtype}; give real numbers")


def is_half(x: Array) -> bool:
    """Whether these are numbers of 16 bits, `ml_dtypes.bfloat16` included."""
    return x.dtype.name in ("float16", "bfloat16")


def native(x: Array, dtype: Any) -> Array:
    """In C order, aligned, of this type in native bytes; the array itself if it is so already."""
    return np.require(x, dtype=dtype, requirements=["C", "A"])


def matrix(x: Any, what: str, dtype: Any = None) -> Array:
    """Rows of numbers; of their own type unless one is given."""
    rows = as_numpy(x, what)
    if rows.ndim != 2:
        raise InvalidInput(f"{what} have shape {list(rows.shape)}; give a matrix, one a row")
    own = dtype_for(rows, what)
    return native(rows, own if dtype is None else dtype)


def states(x: Any, what: str, dtype: Any) -> tuple[Array, bool]:
    """Rows of numbers, and whether there was a single one without its row."""
    rows = as_numpy(x, what)
    is_single = rows.ndim == 1
    return matrix(rows[None] if is_single else rows, what, dtype), is_single


def bools(x: Any, what: str) -> Array:
    """True and false, of any rank; numbers must be 1 and 0."""
    flags = as_numpy(x, what)
    if flags.dtype != np.bool_ and not np.isin(flags, (0, 1)).all():
        raise InvalidInput(f"{what} hold other numbers than 1 (observed) and 0")
    return native(flags, np.bool_)


def count(value: Any, name: str) -> Any:
    """A whole number of at least 0, or None."""
    if value is None:
        return None
    number = operator.index(value)
    if not 0 <= number < 2**64:
        raise InvalidInput(f"{name} is {number}; it must be a whole number from 0 to {2**64 - 1}")
    return number
