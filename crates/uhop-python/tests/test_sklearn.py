"""The estimator keeps scikit-learn's contract."""

from __future__ import annotations

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")

import uhop
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator
from uhop.sklearn import AssociativeMemory

# Checks that do not apply, and why.
EXCLUDED: dict[str, str] = {}


def checks():
    for estimator, check in estimator_checks_generator(AssociativeMemory()):
        name = getattr(check, "func", check).__name__
        yield pytest.param(estimator, check, id=name)


@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_the_contract(estimator, check, request):
    reason = EXCLUDED.get(request.node.callspec.id)
    if reason:
        pytest.skip(reason)
    check(estimator)


def test_in_a_pipeline_and_a_search():
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), AssociativeMemory())
    search = GridSearchCV(
        pipeline, {"associativememory__beta": [0.1, 1.0, 10.0], "associativememory__alpha": [1.0, 2.0]}, cv=3
    )
    search.fit(X, y)
    assert search.best_score_ > 0.9
    assert search.best_estimator_[:-1].transform(X).shape == X.shape


def test_recall_without_labels():
    digits, labels = uhop.digits()
    memory = AssociativeMemory(loss="whitening").fit(digits[:50])
    damaged = uhop.Corruption.half_mask().apply(digits[:50], seed=0)
    recalled = memory.transform(damaged)
    assert recalled.dtype == np.float32
    error = ((recalled - digits[:50]) ** 2).sum(1).mean()
    assert error < 0.1 * ((damaged - digits[:50]) ** 2).sum(1).mean()
    with pytest.raises(AttributeError, match="without labels"):
        memory.predict(damaged)
    with pytest.raises(NotFittedError):
        AssociativeMemory().transform(digits)


def test_a_corruption_is_a_parameter():
    memory = AssociativeMemory("channel", corruption=uhop.Corruption.gaussian_noise(0.5))
    digits, labels = uhop.digits()
    search = GridSearchCV(memory, {"alpha": [1.0, 2.0]}, cv=2).fit(digits[:60], labels[:60])
    assert sklearn.clone(memory).corruption == memory.corruption
    assert search.best_estimator_.memory_.similarity == "channel"


@pytest.mark.parametrize("loss", [None, "average", "max", "whitening", "denoising"])
def test_every_beta_is_another_model(loss):
    X, y = load_iris(return_X_y=True)
    model = AssociativeMemory(loss=loss)
    found = []
    for beta in (None, 0.01, 0.02):
        tried = sklearn.clone(model).set_params(beta=beta).fit(X[::5], y[::5])
        assert tried.beta == beta and (beta is None or tried.memory_.beta == beta)
        found.append(tried.predict_proba(X[1::5]))
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert abs(found[first] - found[second]).max() > 1e-6


def test_without_a_beta_it_is_the_one_that_fit_finds():
    X = load_iris().data[::5]
    for loss in ("whitening", "auto"):
        found = AssociativeMemory(loss=loss).fit(X).memory_.beta
        assert found == uhop.Memory(X).fit(loss).beta != 1.0
    assert AssociativeMemory().fit(X).memory_.beta == 1.0


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        ({"loss": "auto", "beta": 1.0}, "beta has no meaning for auto"),
        ({"loss": "auto", "alpha": 2.0}, "alpha=1.0"),
        ({"corruption": uhop.Corruption.half_mask()}, "corruption has no meaning without"),
        ({"similarity": "dot", "corruption": uhop.Corruption.half_mask()}, "corruption has no meaning without"),
        ({"loss": "average", "corruption": uhop.Corruption.half_mask()}, "corruption has no meaning for the average"),
        ({"loss": "whitening", "similarity": "manhattan"}, "take the place of manhattan similarity"),
        ({"similarity": "channel"}, "needs a corruption"),
        ({"similarity": ""}, "similarity is"),
    ],
)
def test_a_parameter_without_meaning_is_an_error_of_fit(parameters, line):
    X, y = load_iris(return_X_y=True)
    model = AssociativeMemory(**parameters)
    assert sklearn.clone(model).get_params() == model.get_params()
    with pytest.raises(uhop.InvalidInput, match=line):
        model.fit(X, y)


def test_a_refused_fit_leaves_the_one_before():
    X, y = np.eye(3), ["a", "b", "c"]
    model = AssociativeMemory(beta=50.0).fit(X, y)
    model.set_params(similarity="bogus")
    with pytest.raises(uhop.InvalidInput):
        model.fit(np.eye(5)[:2], ["x", "y"])
    assert model.predict(X).tolist() == y


def test_names_of_features_stay():
    memory = AssociativeMemory().fit(np.eye(3))
    assert memory.get_feature_names_out(["a", "b", "c"]).tolist() == ["a", "b", "c"]
