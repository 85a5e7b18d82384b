"""Separations: laws for all inputs, then golden vectors and peers."""

from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import uhop
from conftest import golden
from hypothesis import given
from hypothesis import strategies as st

FUNCTIONS = {
    "entmax 1": (lambda z, axis: uhop.entmax(z, 1.0, axis), lambda z, g, axis: uhop.entmax_vjp(z, g, 1.0, axis)),
    "entmax 1.3": (lambda z, axis: uhop.entmax(z, 1.3, axis), lambda z, g, axis: uhop.entmax_vjp(z, g, 1.3, axis)),
    "entmax15": (uhop.entmax15, uhop.entmax15_vjp),
    "sparsemax": (uhop.sparsemax, uhop.sparsemax_vjp),
    "softmax1": (uhop.softmax1, uhop.softmax1_vjp),
    "top_k": (lambda z, axis: uhop.top_k_softmax(z, 1, axis), lambda z, g, axis: uhop.top_k_softmax_vjp(z, g, 1, axis)),
}
HALVES = ["float16"]
try:
    import ml_dtypes

    HALVES.append(ml_dtypes.bfloat16)
except ImportError:
    pass

shapes = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=5)
scores = shapes.flatmap(lambda shape: hnp.arrays(np.float64, shape, elements=st.floats(-30, 30, width=32)))


def eps(dtype) -> float:
    return float(np.finfo(np.float64).eps if dtype == np.float64 else uhop_eps(dtype))


def uhop_eps(dtype) -> float:
    name = np.dtype(dtype).name
    return {"float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}[name]


@pytest.mark.parametrize("name", FUNCTIONS)
@given(z=scores, data=st.data())
def test_weights_lie_on_the_simplex_along_any_axis(name, z, data):
    axis = data.draw(st.integers(-z.ndim, z.ndim - 1))
    weights = FUNCTIONS[name][0](z, axis)
    assert weights.shape == z.shape and weights.dtype == z.dtype
    assert (weights >= 0).all()
    total = weights.sum(axis)
    # Each weight is rounded once; the sum of n adds n roundings.
    bound = 4 * (z.shape[axis] + 2) * np.finfo(np.float64).eps
    if name == "softmax1":
        assert (total <= 1 + bound).all()
    else:
        assert (abs(total - 1) <= bound).all()


@pytest.mark.parametrize("name", FUNCTIONS)
@given(z=scores, data=st.data())
def test_an_axis_is_the_last_one_moved(name, z, data):
    axis = data.draw(st.integers(0, z.ndim - 1))
    function = FUNCTIONS[name][0]
    moved = np.moveaxis(function(np.moveaxis(z, axis, -1), -1), -1, axis)
    assert np.array_equal(function(z, axis), moved)


@pytest.mark.parametrize("name", FUNCTIONS)
@given(z=scores, data=st.data())
def test_strides_and_byte_order_change_nothing(name, z, data):
    function, vjp = FUNCTIONS[name]
    g = np.cos(np.arange(z.size, dtype=np.float64)).reshape(z.shape)
    plain, gradient = function(z, -1), vjp(z, g, -1)
    flips = tuple(slice(None, None, data.draw(st.sampled_from([1, -1]))) for _ in z.shape)
    padded = np.zeros([2 * side for side in z.shape])
    padded[tuple(slice(None, None, 2) for _ in z.shape)] = z
    spaced = padded[tuple(slice(None, None, 2) for _ in z.shape)]
    flipped = np.ascontiguousarray(z[flips])[flips]
    swapped = z.astype(z.dtype.newbyteorder())
    unaligned = np.frombuffer(b"\0" + z.tobytes(), np.uint8)[1:].view(np.float64).reshape(z.shape)
    for other in (spaced, flipped, swapped, np.asfortranarray(z), unaligned):
        assert np.array_equal(function(other, -1), plain)
        assert function(other, -1).dtype == z.dtype
        assert np.array_equal(vjp(other, g, -1), gradient)


@pytest.mark.parametrize("name", FUNCTIONS)
@given(z=scores, data=st.data())
def test_masked_scores_are_as_if_not_there(name, z, data):
    function, vjp = FUNCTIONS[name]
    row = z.reshape(-1)
    mask = data.draw(hnp.arrays(bool, row.shape))
    masked = np.where(mask, row, -np.inf)
    g = np.sin(np.arange(row.size, dtype=np.float64))
    weights, gradient = function(masked, -1), vjp(masked, g, -1)
    assert (weights[~mask] == 0).all() and (gradient[~mask] == 0).all()
    if mask.any():
        assert np.array_equal(weights[mask], function(row[mask], -1))
        assert np.array_equal(gradient[mask], vjp(row[mask], g[mask], -1))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("half", HALVES)
@given(seed=st.integers(0, 2**32 - 1))
def test_half_precision_is_the_exact_weights_rounded_once(name, half, seed):
    z = (8 * np.random.default_rng(seed).standard_normal((3, 7))).astype(half)
    function, vjp = FUNCTIONS[name]
    weights = function(z, -1)
    assert weights.dtype == z.dtype
    assert np.array_equal(weights, function(z.astype(np.float64), -1).astype(half))
    g = z[::-1]
    exact = vjp(z.astype(np.float64), g.astype(np.float64), -1).astype(half)
    assert np.array_equal(vjp(z, g, -1), exact)


@pytest.mark.parametrize("name", ["entmax 1", "entmax 1.3", "entmax15", "sparsemax", "softmax1"])
@given(seed=st.integers(0, 2**32 - 1))
def test_gradients_are_those_of_finite_differences(name, seed):
    function, vjp = FUNCTIONS[name]
    random = np.random.default_rng(seed)
    z, g, direction = (random.standard_normal(6) for _ in range(3))
    step = 1e-6
    before, after = function(z - step * direction, -1), function(z + step * direction, -1)
    if ((before > 0) != (after > 0)).any():
        return  # A kink lies between.
    slope = (g * (after - before)).sum() / (2 * step)
    # The third derivative of 1.3-entmax grows where a weight is about to vanish: p^(2-α-2(α-1)) and the like.
    positive = before[before > 0].min()
    bound = 1e-8 + 1e2 * step**2 * positive**-2
    assert abs(slope - vjp(z, g, -1) @ direction) <= bound


@given(z=scores, data=st.data())
def test_an_alpha_for_each_row(z, data):
    axis = data.draw(st.integers(-z.ndim, z.ndim - 1))
    shape = list(z.shape)
    shape[axis] = 1
    alphas = data.draw(hnp.arrays(np.float64, shape, elements=st.sampled_from([1.0, 1.2, 1.5, 2.0, 4.0])))
    weights = uhop.entmax(z, alphas, axis)
    gradient = uhop.entmax_vjp(z, z, alphas, axis)
    for alpha in np.unique(alphas):
        chosen = np.broadcast_to(alphas == alpha, z.shape)
        assert np.array_equal(weights[chosen], uhop.entmax(z, float(alpha), axis)[chosen])
        assert np.array_equal(gradient[chosen], uhop.entmax_vjp(z, z, float(alpha), axis)[chosen])


def test_integers_are_taken_for_float64():
    assert uhop.sparsemax([0, 0, 5]).tolist() == [0.0, 0.0, 1.0]
    assert uhop.sparsemax(np.array([1, 1], np.int8)).sum() == 1.0


def test_no_rows_give_no_weights():
    for function, vjp in FUNCTIONS.values():
        assert function(np.zeros((0, 3)), -1).shape == (0, 3)
        assert vjp(np.zeros((2, 0, 3)), np.zeros((2, 0, 3)), 2).shape == (2, 0, 3)


def test_results_do_not_depend_on_threads():
    z = np.random.default_rng(0).standard_normal((200, 9)).astype(np.float32)
    for function in (uhop.entmax, uhop.softmax1):
        assert np.array_equal(function(z, threads=1), function(z, threads=2))


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: uhop.entmax([1.0, np.nan]), r"entry \[1\] of the scores is nan"),
        (lambda: uhop.entmax([[1.0], [np.inf]], axis=0), r"entry \[1, 0\] of the scores is inf"),
        (lambda: uhop.entmax(np.zeros((2, 0))), r"shape \[2, 0\]"),
        (lambda: uhop.entmax(3.0), "a single number"),
        (lambda: uhop.entmax([1.0], axis=1), "axis is 1"),
        (lambda: uhop.entmax([1.0], 0.5), "alpha is 0.5"),
        (lambda: uhop.entmax([1.0], np.nan), "alpha is NaN"),
        (lambda: uhop.entmax(np.zeros((2, 3)), [1.0, 2.0]), r"alpha of shape \[2\] does not fit"),
        (lambda: uhop.entmax([1j]), "complex128"),
        (lambda: uhop.entmax(["a"]), "dtype"),
        (lambda: uhop.entmax(np.ma.masked_array([1.0, 2.0], [True, False])), "masked array"),
        (lambda: uhop.top_k_softmax([1.0, 2.0], 3), "k is 3"),
        (lambda: uhop.top_k_softmax([1.0, 2.0], 0), "k is 0"),
        (lambda: uhop.entmax_vjp([1.0, 2.0], [1.0]), r"cotangents of shape \[1\]"),
        (lambda: uhop.entmax_vjp([1.0, 2.0], [1.0, np.inf]), r"entry \[1\] of the cotangents"),
        (lambda: uhop.entmax([1.0], threads=0), "n_threads is 0"),
    ],
)
def test_bad_input_is_one_clear_line(call, line):
    with pytest.raises(uhop.InvalidInput, match=line) as caught:
        call()
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)


def test_golden_weights():
    for case in golden("separation")["cases"]:
        z, alpha = np.array(case["scores"]), case["alpha"]
        weights = uhop.entmax(z, alpha)
        jacobian = [uhop.entmax_vjp(z, unit, alpha) for unit in np.eye(len(z))]
        # The references' own 4e-14, and what a solver of n + 8 roundings of size 1 + |z| may be off by.
        moved = (len(z) + 8) * np.finfo(float).eps * (1 + abs(z).max())
        bound = 4e-14 + moved * abs(np.array(jacobian)).sum(1)
        assert (abs(weights - case["weights"]) <= bound).all(), (case["name"], alpha)


def test_golden_softmax1():
    for case in golden("softmax1")["cases"]:
        weights = uhop.softmax1(case["scores"])
        size = 1 + abs(np.array(case["scores"])).max()
        bound = 4 * len(weights) * np.finfo(float).eps * size
        assert (abs(weights - case["weights"]) <= bound).all(), case["name"]


@pytest.mark.parametrize("alpha", [1.25, 1.5, 2.0, 3.0])
def test_parity_with_entmax(alpha):
    torch = pytest.importorskip("torch")
    peer = pytest.importorskip("entmax")
    z = torch.randn(20, 11, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    z.requires_grad_()
    theirs = peer.entmax_bisect(z, alpha, dim=1)
    g = torch.linspace(-1, 1, 11, dtype=torch.float64).expand(20, 11)
    (gradient,) = torch.autograd.grad(theirs, z, g)
    ours = uhop.entmax(z, alpha, axis=1)
    # Fifty halvings of an interval no wider than 1, then a division by the sum.
    assert abs(ours - theirs.detach().numpy()).max() <= 1e-12
    found = uhop.entmax_vjp(z, g, alpha, axis=1)
    assert abs(found - gradient.numpy()).max() <= 1e-9
