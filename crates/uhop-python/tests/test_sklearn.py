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


def test_names_of_features_stay():
    memory = AssociativeMemory().fit(np.eye(3))
    assert memory.get_feature_names_out(["a", "b", "c"]).tolist() == ["a", "b", "c"]
