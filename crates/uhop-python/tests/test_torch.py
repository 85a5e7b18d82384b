"""PyTorch: gradients, and modules equal to hopfield-layers."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import golden

torch = pytest.importorskip("torch")

import uhop
from uhop.torch import (
    Association,
    Hopfield,
    HopfieldLayer,
    HopfieldPooling,
    Normalize,
    Norms,
    Projections,
    Sizes,
    Updates,
    entmax,
    retrieve,
    separation_loss,
)

gradcheck = torch.autograd.gradcheck


def randn(*shape, seed=0, grad=True):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator, requires_grad=grad)


@pytest.mark.parametrize("alpha", [1.0, 1.3, 1.5, 2.0])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_gradcheck_of_entmax(alpha, dim):
    assert gradcheck(lambda z: entmax(z, alpha, dim), randn(3, 4, 5))


def test_gradcheck_of_entmax_with_masks_and_alphas():
    mask = torch.rand(3, 5, generator=torch.Generator().manual_seed(1)) < 0.3
    mask[0] = True
    alphas = torch.tensor([[1.0], [1.5], [2.0]], dtype=torch.float64)
    assert gradcheck(lambda z: entmax(z.masked_fill(mask, -torch.inf), alphas), randn(3, 5))


@pytest.mark.parametrize("shape", [(), (3, 1), (1,)])
def test_gradcheck_of_alpha(shape):
    alphas = 1.2 + torch.arange(3, dtype=torch.float64).reshape(3, 1) / 4
    alphas = (alphas if shape == (3, 1) else alphas[0].reshape(shape)).requires_grad_()
    assert gradcheck(entmax, (randn(3, 5), alphas))


def test_the_slope_at_softmax_is_the_limit():
    z = randn(4, 6, grad=False)
    for alpha in (1.0, 1.0 + 1e-6):
        at = torch.tensor(alpha, dtype=torch.float64, requires_grad=True)
        g = randn(4, 6, seed=1, grad=False)
        (entmax(z, at) * g).sum().backward()
        # One-sided, as there is no α below 1: the second derivative is below 10.
        step = 1e-4
        found = (g * (entmax(z, 1.0 + step) - entmax(z, 1.0))).sum() / step
        assert abs(at.grad - found) <= 20 * step


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("epsilon", [1e-2, 3e-4, 1e-4, 2e-5])
def test_rounded_weights_have_the_same_slope(dtype, epsilon):
    z, g = 2 * randn(8, 32, grad=False), randn(8, 32, seed=1, grad=False)
    at = torch.tensor(1.0 + epsilon, dtype=dtype, requires_grad=True)
    (entmax(z.to(dtype), at) * g.to(dtype)).sum().backward()
    # The third derivative is below 1e2, weights are good to 1e-15; those that are rounded to 1e-7.
    step = min(epsilon / 2, 1e-4)
    above, below = (entmax(z, at.item() + sign * step) for sign in (1, -1))
    expected = ((above - below) * g).sum() / (2 * step)
    assert abs(at.grad.double() - expected) <= 1e-5


@pytest.mark.parametrize("similarity", ["dot", "cosine", "euclidean"])
@pytest.mark.parametrize("alpha", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("max_steps", [1, 2])
def test_gradcheck_of_retrieve(similarity, alpha, max_steps):
    def run(queries, patterns, values, beta):
        return retrieve(queries, patterns, values, similarity, alpha, beta, max_steps)

    beta = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    assert gradcheck(run, (randn(2, 3, 4), randn(5, 4, seed=1), randn(5, 2, seed=2), beta))
    alone = lambda queries, patterns: retrieve(queries, patterns, None, similarity, alpha, 0.7, max_steps)
    assert gradcheck(alone, (randn(3, 4), randn(5, 4, seed=1)))


@pytest.mark.parametrize("similarity", ["dot", "cosine", "euclidean"])
def test_retrieve_is_that_of_the_memory(similarity):
    queries, patterns = randn(6, 4, grad=False), randn(9, 4, seed=1, grad=False)
    memory = uhop.Memory(patterns, similarity=similarity, alpha=1.5, beta=2.0)
    expected = memory.retrieve(queries, max_steps=3)
    found = retrieve(queries, patterns, similarity=similarity, alpha=1.5, beta=2.0, max_steps=3)
    # Three steps, each moving what it is given no more than β‖Ξ‖² < 60 times.
    assert abs(found.numpy() - expected).max() <= 60**3 * 64 * 2.0**-52


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_types_stay(dtype):
    z = randn(3, 4).to(dtype)
    assert entmax(z).dtype == dtype
    patterns = torch.eye(4, dtype=dtype, requires_grad=True)
    found = retrieve(z, patterns)
    assert found.dtype == dtype
    found.sum().backward()
    assert patterns.grad.dtype == dtype


@pytest.mark.parametrize("similarity", ["dot", "cosine", "euclidean"])
@pytest.mark.parametrize("max_steps", [1, 2])
def test_each_gradient_has_the_type_of_its_tensor(similarity, max_steps):
    types = (torch.float32, torch.float64, torch.bfloat16)
    for mixed in ((a, b, c) for a in types for b in types for c in types):
        exact = [randn(*shape, seed=i) for i, shape in enumerate(((3, 4), (5, 4), (5, 2)))]
        given = [tensor.detach().to(dtype).requires_grad_() for tensor, dtype in zip(exact, mixed)]
        beta = torch.tensor(0.7, requires_grad=True)
        found = retrieve(*given, similarity, 1.5, beta, max_steps)
        assert found.dtype == mixed[0]
        found.sum().backward()
        retrieve(*exact, similarity, 1.5, 0.7, max_steps).sum().backward()
        assert beta.grad.dtype == torch.float32
        # Numbers of 8 bits, of size about 1, and a few products of them.
        bound = 0.5 if torch.bfloat16 in mixed else 1e-4
        for tensor, other in zip(given, exact):
            assert tensor.grad.dtype == tensor.dtype
            assert (tensor.grad.double() - other.grad).abs().max() <= bound


def test_bad_input_is_one_clear_line():
    for call, line in (
        (lambda: retrieve(torch.ones(2, 3), torch.ones(4, 2)), r"\[2, 3\].*\[4, 2\]"),
        (lambda: retrieve(torch.ones(2), torch.ones(4, 2), similarity="l2"), "similarity"),
        (lambda: retrieve(torch.ones(2), torch.ones(4, 2), max_steps=0), "max_steps is 0"),
        (lambda: entmax(torch.full((2,), torch.nan)), "nan"),
        (lambda: entmax(torch.ones(2, device="meta")), "meta"),
        (lambda: Hopfield(Sizes(0)), "state is 0"),
        (lambda: Hopfield(Sizes(8, stored=6), projections=Projections.none()), "cannot be compared"),
        (lambda: Hopfield(Sizes(3), Association(n_heads=4)), "too few"),
        (lambda: Hopfield(Sizes(8))(torch.ones(2, 8), torch.ones(2, 3, 8)), r"\[2, 8\]"),
        (lambda: separation_loss(Hopfield(Sizes(8))), "no stored patterns of its own"),
        (lambda: separation_loss(HopfieldLayer(Sizes(8))), "at least two"),
        (lambda: separation_loss(Hopfield(Sizes(8)), torch.ones(3, 8)), r"\[3, 8\]"),
        (lambda: separation_loss(HopfieldLayer(Sizes(8), 2), loss="mean"), "loss is 'mean'"),
        (
            lambda: separation_loss(Hopfield(Sizes(8)), torch.ones(2, 3, 8), stored_mask=torch.ones(3, 2) > 0),
            r"stored_mask .*\[3, 2\].*\[2, 3\]",
        ),
        (lambda: HopfieldPooling(Sizes(8, projection=6)), "8 numbers, not of 6.*use Hopfield"),
        (lambda: HopfieldPooling(Sizes(8, stored=6, projection=8)), "6 numbers, not of 8"),
        (lambda: HopfieldLayer(Sizes(8, projection=6)), "8 numbers, not of 6.*targets"),
    ):
        with pytest.raises(uhop.InvalidInput, match=line):
            call()


# hopfield-layers


def options(arguments):
    """The groups that docs/python.md maps the arguments of hopfield-layers to."""
    get = arguments.get

    def norm(name):
        if not get(f"normalize_{name}", name != "hopfield_space"):
            return None
        return Normalize(get(f"normalize_{name}_affine", True), get(f"normalize_{name}_eps", 1e-5))

    return {
        "sizes": Sizes(
            arguments["input_size"],
            get("stored_pattern_size"),
            get("pattern_projection_size"),
            get("hidden_size"),
            get("pattern_size"),
            get("output_size"),
        ),
        "association": Association(
            get("num_heads", 1),
            beta=get("scaling"),
            dropout=get("dropout", 0.0),
            zero=get("add_zero_association", False),
        ),
        "updates": Updates(1 + get("update_steps_max", 0), get("update_steps_eps", 1e-4)),
        "norms": Norms(
            norm("stored_pattern"), norm("state_pattern"), norm("pattern_projection"), norm("hopfield_space")
        ),
        "projections": Projections(
            not get("stored_pattern_as_static", False),
            not get("state_pattern_as_static", False),
            not get("pattern_projection_as_static", False),
            not get("disable_out_projection", False),
            get("input_bias", True),
            get("pattern_projection_as_connected", False),
        ),
    }


def load(module, state, prefix=""):
    """The parameters of hopfield-layers, under the names here."""
    own = {}
    names = {"stored": "stored_pattern", "state": "state_pattern", "projection": "pattern_projection"}
    for ours, theirs in names.items():
        for part in ("weight", "bias"):
            if f"{prefix}norm_{theirs}.{part}" in state:
                own[f"norm_{ours}.{part}"] = state[f"{prefix}norm_{theirs}.{part}"]
    core = f"{prefix}association_core."
    together = ["project_state", "project_stored", "project_value"]
    for part in ("weight", "bias"):
        if f"{core}in_proj_{part}" in state:
            for name, rows in zip(together, state[f"{core}in_proj_{part}"].chunk(3)):
                own[f"{name}.{part}"] = rows
    for name, theirs in zip(together, "qkv"):
        if f"{core}{theirs}_proj_weight" in state:
            own[f"{name}.weight"] = state[f"{core}{theirs}_proj_weight"]
    for part in ("weight", "bias"):
        if f"{core}out_proj.{part}" in state:
            own[f"project_output.{part}"] = state[f"{core}out_proj.{part}"]
    module.load_state_dict(own)


@pytest.mark.parametrize("i", range(13))
def test_modules_equal_hopfield_layers(i):
    case = golden("hopfield_layers")["cases"][i]
    arguments, kind = case["arguments"], case["name"].split("/")[0]
    given = [torch.tensor(rows, dtype=torch.float64) for rows in case["input"]]
    given = given if kind == "Hopfield" else torch.stack(given)
    state = {name: torch.tensor(values, dtype=torch.float64) for name, values in case["state_dict"].items()}
    groups = options(arguments)
    mask = case["stored_pattern_padding_mask"]
    mask = None if mask is None else ~torch.tensor(mask)
    torch.set_default_dtype(torch.float64)
    try:
        if kind == "Hopfield":
            module = Hopfield(**groups).eval()
            load(module, state)
            stored, states, projection = given
            found = module(stored, states, projection, stored_mask=mask)
            weights = module.weights(stored, states, projection, stored_mask=mask)
        elif kind == "HopfieldPooling":
            module = HopfieldPooling(**groups, quantity=arguments.get("quantity", 1)).eval()
            load(module.hopfield, state, "hopfield.")
            module.states.data = state["pooling_weights"]
            found, weights = module(given, stored_mask=mask), module.weights(given, stored_mask=mask)
        else:
            own = arguments.get("lookup_weights_as_separated", False)
            module = HopfieldLayer(
                **groups, quantity=arguments.get("quantity", 1), targets="trainable" if own else "stored"
            ).eval()
            load(module.hopfield, state, "hopfield.")
            module.stored.data = state["lookup_weights"]
            if own:
                module.targets.data = state["target_weights"]
            found, weights = module(given), module.weights(given)
    finally:
        torch.set_default_dtype(torch.float32)
    association = torch.tensor(case["association"], dtype=torch.float64)
    output = torch.tensor(case["output"], dtype=torch.float64)
    assert weights.shape == association.shape and found.shape == output.shape
    # A few products of 8 numbers and a softmax, each entry of size about 1.
    assert (weights - association).abs().max() <= 1e-13
    assert (found - output).abs().max() <= 1e-13


def test_the_static_recipe_is_retrieval():
    queries, patterns = randn(6, 8, grad=False), randn(9, 8, seed=1, grad=False)
    module = Hopfield(
        Sizes(8),
        Association(beta=1.3, alpha=1.5),
        Updates(4, tolerance=0.0),
        Norms.none(),
        Projections.none(),
    )
    module.beta = module.beta.double().fill_(1.3)
    found = module(patterns[None], queries[None])[0]
    expected = uhop.Memory(patterns, alpha=1.5, beta=1.3).retrieve(queries, max_steps=4)
    assert abs(found.numpy() - expected).max() <= 1e-10


def test_gradients_reach_every_parameter():
    for module, given in (
        (
            Hopfield(Sizes(8), Association(n_heads=2, alpha=1.5), Updates(3)),
            (torch.ones(2, 5, 8), torch.randn(2, 3, 8)),
        ),
        (HopfieldPooling(Sizes(8), 3, Association(alpha=2.0)), (torch.randn(2, 5, 8),)),
        (HopfieldLayer(Sizes(8), 4, targets="trainable"), (torch.randn(2, 3, 8),)),
    ):
        (module(*given) ** 2).sum().backward()
        for name, parameter in module.named_parameters():
            assert parameter.grad is not None, name


def test_masks_leave_patterns_out():
    module = Hopfield(Sizes(8), Association(n_heads=2, zero=True)).eval()
    stored, state = torch.randn(2, 5, 8), torch.randn(2, 3, 8)
    there = torch.tensor([[True, True, True, False, False], [True] * 5])
    found = module(stored, state, stored_mask=there)
    alone = module(stored[:1, :3], state[:1])
    assert (found[:1] - alone).abs().max() <= 1e-6
    both = torch.ones(3, 5, dtype=torch.bool)
    both[0, 0] = False
    weights = module.weights(stored, state, stored_mask=there, association_mask=both)
    assert (weights[:, :, 0, 0] == 0).all() and (weights[0, :, :, 3:5] == 0).all()


def test_separation_losses_are_those_of_stage_one():
    file = golden("stage1")
    patterns = torch.tensor(file["patterns"], dtype=torch.float64)
    weight = torch.tensor(file["weight"], dtype=torch.float64)
    n_compared = 0
    for case in file["cases"]:
        if not case["unit_features"]:
            continue
        module = Hopfield(Sizes(10), norms=Norms.none(), projections=Projections(bias=False)).double()
        module.project_stored.weight.data = weight
        loss = separation_loss(module, patterns[None], loss=case["loss"], t=case["temperature"])
        loss.backward()
        assert abs(loss.item() - case["losses"][0]) <= 1e-13
        gradient = torch.tensor(case["first_gradient"], dtype=torch.float64)
        assert (module.project_stored.weight.grad - gradient).abs().max() <= 1e-12
        n_compared += 1
    assert n_compared >= 2


def slow_separation_loss(sets, loss, t):
    """The mean over sets of vectors, from the formula; a set of fewer than two is left out."""
    losses = []
    for rows in sets:
        square = [sum((u - v) ** 2) for i, u in enumerate(rows) for v in rows[:i]]
        if square:
            exponents = -t * np.array(square)
            losses.append(exponents.max() if loss == "max" else np.log(np.exp(exponents).mean()))
    return np.mean(losses) if losses else 0.0


def by_heads(rows, there, n_heads):
    """Of each sample and head, its part of the rows that are there, divided by their norms."""
    for sample, kept in zip(rows, there):
        for part in np.split(sample[kept], n_heads, axis=1):
            yield part / np.linalg.norm(part, axis=1, keepdims=True)


@pytest.mark.parametrize("loss", ["average", "max"])
@pytest.mark.parametrize("n_heads", [1, 2, 4])
@pytest.mark.parametrize("head", [None, Normalize()])
def test_separation_loss_is_the_mean_over_samples_and_heads(loss, n_heads, head):
    module = Hopfield(Sizes(8, head=3), Association(n_heads=n_heads), norms=Norms(head=head)).double()
    for parameter in module.parameters():
        parameter.data = randn(*parameter.shape, seed=3, grad=False)
    stored = randn(4, 6, 8, grad=False)
    features = module.project_stored(module.norm_stored(stored)).detach().numpy()
    if head is not None:
        split = features.reshape(4, 6, n_heads, 3)
        centred = split - split.mean(-1, keepdims=True)
        scale, shift = module.norm_head.weight.detach().numpy(), module.norm_head.bias.detach().numpy()
        normed = centred / np.sqrt(split.var(-1, keepdims=True) + 1e-5) * scale + shift
        features = normed.reshape(features.shape)
    assert abs(module.features(stored).detach().numpy() - features).max() <= 1e-12
    there = np.ones((4, 6), bool)
    # Six patterns, four, one and none.
    there[1, 1:3], there[2, 1:], there[3] = False, False, False
    for mask in (None, there):
        expected = slow_separation_loss(
            by_heads(features, np.ones_like(there) if mask is None else mask, n_heads), loss, 0.7
        )
        mask = None if mask is None else torch.tensor(mask)
        found = separation_loss(module, stored, stored_mask=mask, loss=loss, t=0.7)
        assert abs(found.item() - expected) <= 1e-12


@pytest.mark.parametrize("loss", ["average", "max"])
def test_what_is_padding_is_in_no_pair(loss):
    layer = HopfieldPooling(Sizes(8), association=Association(n_heads=2)).double()
    stored = randn(3, 5, 8)
    there = torch.tensor([[True, True, True, False, False], [True, False, False, False, False], [False] * 5])
    found = separation_loss(layer, stored, stored_mask=there, loss=loss)
    alone = separation_loss(layer, stored[:1, :3], loss=loss)
    assert abs(found - alone) <= 1e-13
    found.backward()
    assert stored.grad.isfinite().all() and stored.grad[0, :3].any()
    assert not stored.grad[0, 3:].any() and not stored.grad[1:].any()
    # Padding as it comes: rows that are all alike.
    padded = torch.where(there[..., None], stored.detach(), 0.0)
    assert abs(separation_loss(layer, padded, stored_mask=there, loss=loss) - alone) <= 1e-13
    none = separation_loss(layer, stored, stored_mask=torch.zeros(3, 5) > 0, loss=loss)
    none.backward()
    assert none.item() == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_separation_loss_of_half_precision_is_that_of_the_same_numbers(dtype):
    # Norms of 264, and more pairs than float16 has numbers for.
    stored = (33.0 * torch.randn(1, 400, 64)).to(dtype)
    module = Hopfield(Sizes(64), norms=Norms.none(), projections=Projections.none())
    found, expected = separation_loss(module, stored), separation_loss(module, stored.double())
    assert abs(found.item() - expected.item()) <= 1e-5


def test_separation_loss_of_zeros_has_a_gradient():
    module = Hopfield(Sizes(4), norms=Norms.none(), projections=Projections.none())
    stored = torch.tensor([[[0.0] * 4, [1.0, 0.0, 0.0, 0.0], [1e-3, 1e-3, 0.0, 0.0]]], requires_grad=True)
    separation_loss(module, stored).backward()
    assert stored.grad.isfinite().all() and not stored.grad[0, 0].any()


def test_separation_loss_separates():
    layer = HopfieldLayer(Sizes(8), 6)
    optimizer = torch.optim.Adam(layer.parameters(), 0.01)
    losses = []
    for _ in range(50):
        optimizer.zero_grad()
        loss = separation_loss(layer)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_parity_with_hopfield_layers():
    hflayers = pytest.importorskip("hflayers")
    theirs = hflayers.Hopfield(
        input_size=8,
        stored_pattern_as_static=True,
        state_pattern_as_static=True,
        pattern_projection_as_static=True,
        normalize_stored_pattern=False,
        normalize_stored_pattern_affine=False,
        normalize_state_pattern=False,
        normalize_state_pattern_affine=False,
        normalize_pattern_projection=False,
        normalize_pattern_projection_affine=False,
        disable_out_projection=True,
        scaling=1.3,
    ).double()
    queries, patterns = randn(1, 6, 8, grad=False), randn(1, 9, 8, seed=1, grad=False)
    found = uhop.Memory(patterns[0], beta=1.3).retrieve(queries[0])
    expected = theirs((patterns, queries, patterns))[0].detach().numpy()
    assert np.abs(found - expected).max() <= 1e-13
