"""The memory: equal to formulas, to golden vectors and to the command; whatever array it is given."""

from __future__ import annotations

import copy
import pickle
import signal
import subprocess
import sys

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import uhop
from conftest import golden
from hypothesis import given
from hypothesis import strategies as st
from uhop import _arrays

EPS = {"float32": 2.0**-23, "float64": 2.0**-52}


def slow(patterns, queries, values, alpha, beta, similarity="dot"):
    """One step, from the formula."""
    scores = {
        "dot": queries @ patterns.T,
        "euclidean": -0.5 * ((queries[:, None] - patterns[None]) ** 2).sum(-1),
        "manhattan": -abs(queries[:, None] - patterns[None]).sum(-1),
    }[similarity]
    return uhop.entmax(beta * scores, alpha) @ values


def rows(seed, n, dim, dtype=np.float64):
    return np.random.default_rng(seed).uniform(-1, 1, (n, dim)).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("similarity", ["dot", "euclidean", "manhattan"])
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(*[st.integers(1, 9)] * 4),
    alpha=st.sampled_from([1.0, 1.5, 2.0]),
)
def test_one_step_is_the_formula(dtype, similarity, seed, sizes, alpha):
    n, dim, n_queries, dim_out = sizes
    patterns, queries = rows(seed, n, dim, dtype), rows(seed + 1, n_queries, dim, dtype)
    values = rows(seed + 2, n, dim_out, dtype)
    memory = uhop.Memory(patterns, values, similarity, alpha, 2.0)
    found = memory.retrieve(queries)
    assert found.dtype == np.dtype(dtype) and found.shape == (n_queries, dim_out)
    wide = [x.astype(np.float64) for x in (patterns, queries, values)]
    expected = slow(*wide, alpha, 2.0, similarity)
    # Scores of size 2·dim are off by 4·dim roundings; weights move no more than 2(n)·that, values are below 1.
    bound = 16 * n * dim * (dim + n) * EPS[dtype]
    assert abs(found - expected).max() <= bound


def test_golden_retrieval():
    file = golden("retrieval")
    patterns, queries, weight = (np.array(file[key]) for key in ("patterns", "queries", "weight"))
    for case in file["cases"]:
        is_kernel = case["similarity"] == "kernel"
        memory = uhop.Memory(
            patterns,
            similarity="dot" if is_kernel else case["similarity"],
            alpha=case["alpha"],
            beta=case["beta"],
            feature_map=weight if is_kernel else None,
        )
        found = memory.retrieve(queries, max_steps=case["steps"])
        # The core's own test has the tight bound for each case; this one is for what is passed on.
        assert abs(found - case["retrieved"]).max() <= 1e-9, case["similarity"]


def test_golden_energy():
    file = golden("energy")
    patterns, queries, weight = (np.array(file[key]) for key in ("patterns", "queries", "weight"))
    for case in file["cases"]:
        memory = uhop.Memory(
            patterns,
            alpha=case["alpha"],
            beta=case["beta"],
            feature_map=weight if case["kernel"] else None,
        )
        found, expected = memory.energy(queries), np.array(case["energy"])
        assert abs(found - expected).max() <= 1e-11 * (1 + abs(expected).max())


@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_strides_and_byte_order_change_nothing(seed, data):
    dtype = np.dtype(data.draw(st.sampled_from(["float32", "float64"])))
    patterns, queries = rows(seed, 6, 4, dtype), rows(seed + 1, 3, 4, dtype)
    expected = uhop.Memory(patterns, beta=3.0).retrieve(queries)

    def other(x):
        kind = data.draw(st.sampled_from(["fortran", "flipped", "spaced", "swapped", "readonly", "list"]))
        if kind == "fortran":
            return np.asfortranarray(x)
        if kind == "flipped":
            return np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1]
        if kind == "spaced":
            wide = np.zeros((2 * len(x), 3 * x.shape[1]), dtype)
            wide[::2, ::3] = x
            return wide[::2, ::3]
        if kind == "swapped":
            return x.astype(dtype.newbyteorder())
        x = x.copy()
        x.flags.writeable = False
        return x if kind == "readonly" or dtype == np.float32 else x.tolist()

    memory = uhop.Memory(other(patterns), beta=3.0)
    assert memory.dtype == dtype
    assert np.array_equal(memory.retrieve(other(queries)), expected)


anything = st.one_of(
    hnp.scalar_dtypes(),
    hnp.array_dtypes(max_size=2),
    st.sampled_from([np.dtype(object), np.dtype(np.longdouble), np.dtype("S3"), np.dtype("m8[s]")]),
).flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)))


@given(patterns=anything, queries=anything)
def test_whatever_array_comes_is_stored_or_refused(patterns, queries):
    for memory in (uhop.Memory(np.eye(3)), None):
        try:
            memory = uhop.Memory(patterns) if memory is None else memory
            found = memory.retrieve(queries)
        except uhop.InvalidInput as error:
            assert "\n" not in str(error)
        else:
            assert found.shape == (*queries.shape[:-1], memory.dim) and np.isfinite(found).all()


@given(scores=anything, axis=st.integers(-3, 3))
def test_whatever_scores_come_are_separated_or_refused(scores, axis):
    try:
        weights = uhop.entmax(scores, 1.5, axis)
    except uhop.InvalidInput as error:
        assert "\n" not in str(error)
    else:
        assert weights.shape == scores.shape and (weights >= 0).all()


def test_what_is_contiguous_is_not_copied():
    for dtype in ("float32", "float64"):
        queries = rows(0, 5, 3, dtype)
        taken, _ = _arrays.states(queries, "the queries", np.dtype(dtype))
        assert taken is queries
        single, _ = _arrays.states(queries[1], "the queries", np.dtype(dtype))
        assert np.shares_memory(single, queries)
    result = uhop.Memory(rows(0, 5, 3)).retrieve(rows(1, 2, 3))
    assert result.flags.writeable and result.base is not None  # Rust's own vector is beneath it.


@pytest.mark.parametrize(
    ("given_as", "kept_as"),
    [("float16", "float32"), ("int8", "float32"), ("bool", "float32"), ("int64", "float64"), ("uint32", "float64")],
)
def test_numbers_are_kept_exactly(given_as, kept_as):
    patterns = np.array([[1, 0, 1], [0, 1, 1]]).astype(given_as)
    memory = uhop.Memory(patterns)
    assert memory.dtype.name == kept_as
    assert np.array_equal(memory.patterns, patterns)


def test_integers_beyond_those_of_float64_are_rounded():
    given = np.array([[2**53 + 1, 2**53]])
    assert uhop.Memory(given).patterns.tolist() == [[2.0**53, 2.0**53]]


def test_later_changes_of_an_array_change_no_memory():
    patterns = rows(0, 3, 2)
    memory = uhop.Memory(patterns)
    before = memory.patterns
    patterns[:] = np.nan
    assert np.array_equal(memory.patterns, before)


def test_torch_arrays_go_in():
    expected = uhop.Memory(np.eye(3, dtype=np.float32)).retrieve(np.ones((2, 3), np.float32))
    torch = pytest.importorskip("torch")
    patterns = torch.eye(3, requires_grad=True)
    found = uhop.Memory(patterns).retrieve(torch.ones(2, 3))
    assert np.array_equal(found, expected)
    assert np.shares_memory(_arrays.as_numpy(patterns, "it"), patterns.detach().numpy())
    half = uhop.Memory(torch.eye(3, dtype=torch.bfloat16)).retrieve(torch.ones(2, 3, dtype=torch.bfloat16))
    assert np.array_equal(half, expected)


def test_jax_arrays_go_in():
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    expected = uhop.Memory(np.eye(3, dtype=np.float32)).retrieve(np.ones((2, 3)))
    patterns = jnp.eye(3)
    assert np.array_equal(uhop.Memory(patterns).retrieve(jnp.ones((2, 3))), expected)
    assert np.shares_memory(_arrays.as_numpy(patterns, "it"), np.from_dlpack(patterns))
    half = uhop.Memory(jnp.eye(3, dtype=jnp.bfloat16)).retrieve(jnp.ones((2, 3), dtype=jnp.bfloat16))
    assert np.array_equal(half, expected)
    with pytest.raises(uhop.InvalidInput, match="no array: .*traced array.*") as error:
        jax.jit(uhop.Memory)(patterns)
    assert "\n" not in str(error.value)


def test_one_query_is_a_row_of_many():
    memory = uhop.Memory(rows(0, 5, 3), alpha=1.5, beta=2.0)
    queries = rows(1, 4, 3)
    for method in (memory.retrieve, memory.weights, memory.scores, memory.energy):
        together, singly = method(queries), [method(query) for query in queries]
        assert np.shape(singly[0]) == together.shape[1:]
        assert np.allclose(together, singly, rtol=0, atol=64 * EPS["float64"])


@given(seed=st.integers(0, 2**32 - 1), mask=hnp.arrays(bool, (4, 5)))
def test_what_is_not_observed_does_not_matter(seed, mask):
    memory = uhop.Memory(rows(seed, 6, 5), similarity="euclidean", alpha=2.0, beta=4.0)
    queries = rows(seed + 1, 4, 5)
    other = np.where(mask, queries, 1e6 * rows(seed + 2, 4, 5))
    found = memory.retrieve(queries, mask)
    assert np.array_equal(found, memory.retrieve(other, mask.astype(np.int64)))
    assert np.array_equal(found, memory.retrieve(np.where(mask, queries, np.nan), mask))
    assert np.array_equal(memory.retrieve(queries, mask[0]), memory.retrieve(queries, np.tile(mask[0], (4, 1))))


def test_a_report_says_how_it_ran():
    memory = uhop.Memory(rows(0, 5, 3), beta=9.0)
    queries = rows(1, 4, 3)
    found, report = memory.retrieve(
        queries, max_steps=500, tolerance=1e-9, return_report=True, record_energy=True, record_weights=True
    )
    assert report.converged.all() and (report.residual <= 1e-9).all()
    assert report.support_size.tolist() == [5] * 4
    assert report.weights.shape == (4, 5)
    assert np.allclose(report.weights @ memory.patterns, found, rtol=0, atol=1e-15)
    for energies, steps in zip(report.energy, report.steps):
        assert len(energies) == steps + 1
        assert (np.diff(energies) <= 1e-12).all()


def test_batches_recall_what_the_queries_do_by_themselves():
    patterns = np.random.default_rng(4).random((6, 5))
    memory = uhop.Memory(patterns, beta=2.0)
    queries = np.random.default_rng(5).random((600, 5))
    # So many steps that three batches are made, of which few are needed.
    options = {"max_steps": 2**40, "tolerance": 1e-9, "return_report": True}
    found, report = memory.retrieve(queries, record_weights=True, record_energy=True, **options)
    assert found.shape == (600, 5) and report.weights.shape == (600, 6)
    for rows in (slice(0, 200), slice(200, 400), slice(400, 600)):
        part, of_part = memory.retrieve(queries[rows], record_weights=True, record_energy=True, **options)
        assert np.array_equal(found[rows], part)
        assert np.array_equal(report.weights[rows], of_part.weights)
        assert np.array_equal(report.residual[rows], of_part.residual)
        assert report.energy[rows] == of_part.energy
    mask = np.random.default_rng(6).random((600, 5)) < 0.7
    for of_all, of_last in ((mask, mask[400:]), (mask[0], mask[0])):
        found, _ = memory.retrieve(queries, of_all, **options)
        part, _ = memory.retrieve(queries[400:], of_last, **options)
        assert np.array_equal(found[400:], part)
    # What is wrong is said of all queries.
    for wrong, line in ((mask[:300], r"\[300, 5\]"), (mask[:, :4], r"\[600, 4\]")):
        with pytest.raises(uhop.InvalidInput, match=line):
            memory.retrieve(queries, wrong, **options)
    with pytest.raises(uhop.InvalidInput, match=r"\[600, 4\]"):
        memory.retrieve(queries[:, :4], **options)
    queries[512, 3] = np.nan
    with pytest.raises(uhop.InvalidInput, match=r"\[512, 3\]"):
        memory.retrieve(queries, **options)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
def test_a_signal_ends_recall():
    memory = uhop.Memory(np.random.default_rng(1).random((64, 32)))
    queries = np.random.default_rng(2).random((60_000, 32))
    heard = []

    def hear(signum, frame):
        # Signals that come within one batch are heard as one: without batches there is no third.
        heard.append(signum)
        if len(heard) == 3:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, hear)
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    try:
        with pytest.raises(KeyboardInterrupt):
            memory.retrieve(queries, max_steps=2**40, tolerance=1e-12)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(heard) == 3


def test_theory():
    memory = uhop.Memory([[2.0, 0.0], [1.0, 1.0]], alpha=2.0, beta=0.5)
    assert memory.separation().tolist() == [2.0, 0.0]
    assert memory.certified().tolist() == [True, False]
    assert uhop.Memory([[2.0, 0.0], [1.0, 1.0]]).certified() is None


def test_patterns_come_and_go():
    memory = uhop.Memory(np.eye(2), ids=["ada", "bob"])
    same = memory.copy()
    assert memory.add([[1.0, 1.0]], ids=["cyd"]) is memory
    assert memory.remove(ids=["ada"]).ids == ["bob", "cyd"]
    assert memory.patterns.tolist() == [[0.0, 1.0], [1.0, 1.0]]
    assert memory.remove(0).n_patterns == len(memory) == 1
    assert same.ids == ["ada", "bob"]
    numbered = uhop.Memory(np.eye(2), np.eye(2), ids=np.array([7, 4]))
    numbered.add([[1.0, 2.0]], values=[[3.0, 4.0]], ids=[9])
    assert numbered.ids == [7, 4, 9] and numbered.values.shape == (3, 2)


@pytest.mark.parametrize(
    "kept",
    [1, np.int8(1), np.array(1), [1], (1,), {1}, range(1, 2), np.array([1], np.uint8), np.flatnonzero([0, 1, 0])],
)
def test_rows_are_whole_numbers(kept):
    assert uhop.Memory(np.eye(3)).remove(kept).patterns.tolist() == np.eye(3)[[0, 2]].tolist()


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (np.array([False, False, False, True]), r"bools of shape \[4\]; give np.flatnonzero"),
        (np.zeros((2, 2), bool), r"bools of shape \[2, 2\]"),
        ([False, False, False, True], "a row is False.*np.flatnonzero"),
        ([np.False_, np.True_], "a row is .*False.*np.flatnonzero"),
        ([0, True], "a row is True.*np.flatnonzero"),
        (True, "a row is True"),
        (np.True_, "mask"),
        ([2.9], "a row is 2.9; give whole numbers"),
        (2.0, "a row is 2.0"),
        (np.array([2.0]), "a row is 2.0"),
        ("1", r"the rows are '1'; .*ids=\['1'\]"),
        (b"1", "the rows are b'1'"),
        (["1"], "a row is '1'"),
        (np.array(["1"]), "a row is '1'"),
        ([[0, 1]], r"a row is \[0, 1\]"),
        (np.array([[0, 1]]), r"a row is \[0, 1\]"),
        ([None], "a row is None"),
        ([0, -1], "a row is -1; rows are counted from 0"),
        (2**64, "counted from 0"),
    ],
)
def test_what_is_no_row_removes_nothing(rows, line):
    memory = uhop.Memory(np.eye(4))
    with pytest.raises(uhop.InvalidInput, match=line) as caught:
        memory.remove(rows)
    assert "\n" not in str(caught.value) and memory.n_patterns == 4


def test_torch_rows_are_taken_alike():
    torch = pytest.importorskip("torch")
    assert uhop.Memory(np.eye(3), ids=torch.tensor([7, 8, 9])).remove(torch.tensor([0, 2])).ids == [8]
    for mask in (torch.tensor([False, True]), [torch.tensor(False), torch.tensor(True)]):
        with pytest.raises(uhop.InvalidInput, match="np.flatnonzero"):
            uhop.Memory(np.eye(3)).remove(mask)


@pytest.mark.parametrize(
    ("ids", "line"),
    [
        ("ab", r"the ids are 'ab'; give a list of ids, \['ab'\]"),
        (b"ab", "the ids are b'ab'"),
        (np.str_("ab"), "the ids are 'ab'"),
        (3, r"the ids are 3; give a list of ids, \[3\]"),
        (np.array(3), "the ids are 3"),
        ([True, False], "an id is (True|False)"),
        (np.array([True, False]), "an id is (True|False)"),
        ([1.0, 2.0], "an id is [12].0"),
        (np.array([1.5, 2.5]), "an id is [12].5"),
        (["a", b"b"], "an id is b'b'"),
        (["a", 1], "names and numbers"),
    ],
)
def test_ids_are_a_list_of_names_or_of_numbers(ids, line):
    named = uhop.Memory(np.eye(4), ids=["a", "b", "c", "d"])
    numbered = uhop.Memory(np.eye(4), ids=[0, 1, 2, 3])
    for call in (
        lambda: named.remove(ids=ids),
        lambda: numbered.remove(ids=ids),
        lambda: named.add(np.eye(4)[:2], ids=ids),
        lambda: uhop.Memory(np.eye(2), ids=ids),
    ):
        with pytest.raises(uhop.InvalidInput, match=line) as caught:
            call()
        assert "\n" not in str(caught.value)
    assert named.n_patterns == numbered.n_patterns == 4


def test_a_memory_survives_files_and_pickles(tmp_path):
    memory = uhop.Memory(rows(0, 5, 4, np.float32), rows(1, 5, 2), alpha=1.5, beta=3.0, ids=[5, 4, 3, 2, 1])
    queries = rows(2, 3, 4)
    path = tmp_path / "m.safetensors"
    memory.save(path)
    for read in (
        uhop.Memory.load(path),
        uhop.Memory.load(str(path), trust=True),
        pickle.loads(pickle.dumps(memory)),
    ):
        assert repr(read) == repr(memory) and read.ids == memory.ids
        assert np.array_equal(read.retrieve(queries), memory.retrieve(queries))
    again = tmp_path / "again.safetensors"
    uhop.Memory.load(path).save(again)
    assert again.read_bytes() == path.read_bytes()


def test_corruptions_are_those_of_the_library():
    patterns = np.ones((3, 16), np.float32)
    for corruption in (
        uhop.Corruption.half_mask(),
        uhop.Corruption.mask(0.5),
        uhop.Corruption.salt_and_pepper(0.5),
        uhop.Corruption.gaussian_noise(0.5),
        uhop.Corruption.noise_of_norm(0.5),
        uhop.Corruption.folded_noise_of_norm(0.5),
        uhop.Corruption.occluded_half(4, 4),
        uhop.Corruption.occluded_region(4, 4, (1, 3), (0, 2)),
    ):
        damaged = corruption.apply(patterns, seed=1)
        assert damaged.shape == patterns.shape and not np.array_equal(damaged, patterns)
        assert np.array_equal(damaged, corruption.apply(patterns.astype(np.float64), seed=1))
        assert pickle.loads(pickle.dumps(corruption)) == corruption
        assert repr(corruption).startswith("Corruption(")
    square = uhop.Corruption.occluded_region(4, 4, (1, 3), (0, 2)).apply(patterns[:1]).reshape(4, 4)
    assert (square[1:3, :2] == 0).all() and square.sum() == 12


def test_every_family_of_weights():
    for separation in (
        uhop.Separation.entmax(1.0),
        uhop.Separation.entmax(1.5),
        uhop.Separation.entmax(2.0),
        uhop.Separation.entmax(1.3),
        uhop.Separation.normmax(3.0),
        uhop.Separation.top_k(2),
        uhop.Separation.polynomial(3),
    ):
        memory = uhop.Memory(rows(0, 5, 4), separation=separation)
        assert memory.family == separation
        for again in (pickle.loads(pickle.dumps(separation)), copy.deepcopy(separation)):
            assert again == separation and repr(again) == repr(separation)
        assert abs(memory.weights(rows(1, 3, 4)).sum(1) - 1).max() <= 16 * EPS["float64"]


def test_the_command_reads_the_same_file(command, tmp_path):
    patterns, queries = rows(0, 30, 8, np.float32), rows(1, 7, 8, np.float32)
    for name, values in (("patterns", patterns), ("queries", queries)):
        np.save(tmp_path / f"{name}.npy", values)
    uhop.Memory(patterns, alpha=1.5, beta=4.0).save(tmp_path / "ours.safetensors")

    def run(*words):
        subprocess.run([command, *words], cwd=tmp_path, check=True, capture_output=True, text=True)

    run("fit", "patterns.npy", "-o", "theirs.safetensors", "--alpha", "1.5", "--beta", "4")
    ours, theirs = (tmp_path / f"{whose}.safetensors" for whose in ("ours", "theirs"))
    assert ours.read_bytes() == theirs.read_bytes()
    run("retrieve", "ours.safetensors", "queries.npy", "-o", "out.npy", "--max-steps", "3")
    found = uhop.Memory.load(ours).retrieve(queries, max_steps=3)
    assert np.array_equal(found, np.load(tmp_path / "out.npy"))
    observed = np.random.default_rng(3).random((7, 8)) < 0.6
    np.save(tmp_path / "observed.npy", observed.astype(np.float32))
    run("retrieve", "ours.safetensors", "queries.npy", "-o", "out.npy", "--observed", "observed.npy")
    assert np.array_equal(uhop.Memory.load(ours).retrieve(queries, observed), np.load(tmp_path / "out.npy"))
    # A change by the command is in the journal or in the file.
    run("remove", "ours.safetensors", "--rows", "0,3")
    assert np.array_equal(uhop.Memory.load(ours).patterns, np.delete(patterns, [0, 3], 0))


def test_half_a_file_is_never_seen(tmp_path):
    other = tmp_path / "notes.safetensors"
    other.write_bytes(b"something else")
    memory = uhop.Memory(np.eye(2))
    with pytest.raises(uhop.InvalidInput, match="does not say that it is a memory"):
        memory.save(other)
    with pytest.raises(uhop.InvalidInput, match="safetensors"):
        memory.save(tmp_path / "m.bin")
    # The writer says what to do about a link to nothing; there is no file to move away.
    link = tmp_path / "link.safetensors"
    link.symlink_to("target.safetensors")
    with pytest.raises(uhop.FileError, match="remove the link or create its target"):
        memory.save(link)
    with pytest.raises(uhop.MalformedFile, match="notes.safetensors"):
        uhop.Memory.load(other)
    with pytest.raises(uhop.FileError, match="absent.safetensors") as caught:
        uhop.Memory.load(tmp_path / "absent.safetensors")
    assert isinstance(caught.value, OSError)
    with pytest.raises(uhop.MalformedFile):
        pickle.loads(pickle.dumps(memory).replace(b"patterns", b"patternt"))


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda m: uhop.Memory(np.zeros((0, 3))), r"shape \[0, 3\]"),
        (lambda m: uhop.Memory(np.zeros((3, 0))), r"shape \[3, 0\]"),
        (lambda m: uhop.Memory(np.zeros(3)), r"shape \[3\]"),
        (lambda m: uhop.Memory([[1.0, np.nan]]), r"entry \[0, 1\] of the patterns is NaN"),
        (lambda m: uhop.Memory([[1.0]], [[1.0], [2.0]]), r"\[2, 1\].*\[1, 1\]"),
        (lambda m: uhop.Memory([[1.0]], alpha=0.5), "alpha is 0.5"),
        (lambda m: uhop.Memory([[1.0]], beta=0.0), "beta is 0"),
        (lambda m: uhop.Memory([[1.0]], similarity="dott"), 'similarity is "dott"'),
        (lambda m: uhop.Memory([[1.0]], similarity="channel"), "needs a corruption"),
        (lambda m: uhop.Memory([[1.0]], corruption=uhop.Corruption.mask(0.5)), "channel"),
        (lambda m: uhop.Memory([[1.0]], feature_map=[[1.0, 2.0]]), r"\[1, 2\]"),
        (lambda m: uhop.Memory(np.eye(2), ids=[1, 1]), "there twice"),
        (lambda m: uhop.Memory([["a"]]), "dtype"),
        (lambda m: uhop.Memory([[1.0], [1.0, 2.0]]), "no array"),
        (lambda m: m.retrieve([[1.0]]), r"\[1, 1\].*\[2, 2\]"),
        (lambda m: m.retrieve(np.zeros((0, 2))), r"shape \[0, 2\]"),
        (lambda m: m.retrieve([[1.0, np.inf]]), "inf"),
        (lambda m: m.retrieve(np.eye(2), max_steps=0), "max_steps is 0"),
        (lambda m: m.retrieve(np.eye(2), tolerance=-1.0), "tolerance is -1"),
        (lambda m: m.retrieve(np.eye(2), [[1, 2]]), "the mask"),
        (lambda m: m.retrieve(np.eye(2), np.ones((3, 2), bool)), r"\[3, 2\]"),
        (lambda m: m.retrieve(np.eye(2), record_energy=True), "return_report"),
        (lambda m: m.retrieve(np.eye(2), threads=0), "n_threads is 0"),
        (lambda m: m.retrieve(np.eye(2), max_steps=-1), "max_steps is -1"),
        (lambda m: m.weights(np.eye(2), threads=-1), "threads is -1"),
        (lambda m: m.fit(seed=-1), "seed is -1"),
        (lambda m: uhop.top_k_softmax([1.0], -1), "k is -1"),
        (lambda m: m.add([[1.0]]), r"\[1, 1\]"),
        (lambda m: m.add([[1.0, 2.0]], ids=[3]), "ids"),
        (lambda m: m.remove([0, 1]), "at least one pattern"),
        (lambda m: m.remove(2), "row"),
        (lambda m: m.remove(-1), "counted from 0"),
        (lambda m: m.remove(), "either rows or ids"),
        (lambda m: m.remove(ids=["x"]), "no ids"),
        (lambda m: uhop.Separation.normmax(1.0), "gamma is 1"),
        (lambda m: uhop.Corruption.mask(2.0), "2"),
    ],
)
def test_bad_input_is_one_clear_line(call, line):
    with pytest.raises(uhop.InvalidInput, match=line) as caught:
        call(uhop.Memory(np.eye(2)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("similarity", ["euclidean", "manhattan"])
def test_a_polynomial_asks_for_scores_with_a_zero(similarity):
    cube = uhop.Separation.polynomial(3)
    with pytest.raises(uhop.InvalidInput, match=f"those of {similarity} similarity have no such place"):
        uhop.Memory(np.eye(3), similarity=similarity, separation=cube)
    assert uhop.Memory(np.eye(3), similarity="cosine", separation=cube).retrieve(np.eye(3)).shape == (3, 3)
