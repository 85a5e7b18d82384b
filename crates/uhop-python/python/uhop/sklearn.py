"""A scikit-learn estimator: recall as a transformer, labels by association as a classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ._arrays import Array
from ._corruption import Corruption
from ._memory import Loss, Memory, Similarity
from ._native import InvalidInput


class AssociativeMemory(ClassifierMixin, TransformerMixin, BaseEstimator):
    """Stores the training rows; `transform` recalls rows, `predict` gives the label with the most weight.

    Parameters are those of `Memory` and its `fit`. One that has no meaning beside the others is an error of `fit`, as
    there: a corruption that neither the similarity nor the loss looks at, a similarity that a loss would replace.

    Parameters
    ----------
    similarity : None compares distances, as rows of a table differ in their lengths; what a loss learns takes its place
    alpha : α of α-entmax, at least 1
    beta : β, above 0. None is the one that `"whitening"`, `"denoising"` and `"auto"` find with what they learn, and 1
        otherwise; `"auto"` takes no other
    loss : what is learned before; None learns nothing
    corruption : of similarity `"channel"`, or of a loss that learns from damaged copies
    max_steps, tolerance : of recall; `predict` makes as many updates
    seed : of what is learned
    threads : threads of each call; results do not depend on their number

    >>> model = AssociativeMemory(beta=9.0).fit([[0.0, 0.0], [1.0, 1.0]], ["low", "high"])
    >>> model.predict([[0.9, 0.8]]).tolist()
    ['high']
    """

    def __init__(
        self,
        similarity: Similarity | None = None,
        alpha: float = 1.0,
        beta: float | None = None,
        *,
        loss: Loss | None = None,
        corruption: Corruption | None = None,
        max_steps: int = 1,
        tolerance: float | None = None,
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        self.similarity = similarity
        self.alpha = alpha
        self.beta = beta
        self.loss = loss
        self.corruption = corruption
        self.max_steps = max_steps
        self.tolerance = tolerance
        self.seed = seed
        self.threads = threads

    def fit(self, X: Any, y: Any = None) -> AssociativeMemory:
        """Stores the rows of X, `[n_samples, n_features]`, with labels if there are any. A refused fit leaves the one before."""
        before = self.__dict__.copy()
        try:
            return self._fit(X, y)
        except Exception:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _fit(self, X: Any, y: Any) -> AssociativeMemory:
        if y is None:
            X = validate_data(self, X, dtype=[np.float64, np.float32])
            self.__dict__.pop("classes_", None)
        else:
            X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
            check_classification_targets(y)
            self.classes_, self.labels_ = np.unique(y, return_inverse=True)
        is_learned, is_channel = self.loss is not None, self.similarity == "channel"
        if self.corruption is not None and not is_learned and not is_channel:
            raise InvalidInput(
                'corruption has no meaning without a loss and without similarity="channel"; leave it out, or name one'
            )
        unnamed: Similarity = "dot" if is_learned else "euclidean"
        # All that was given is passed on: what has no meaning for a loss is refused there.
        memory = Memory(
            X,
            similarity=unnamed if self.similarity is None else self.similarity,
            alpha=self.alpha,
            beta=1.0 if self.beta is None else self.beta,
            corruption=self.corruption if is_channel else None,
            threads=self.threads,
        )
        if self.loss is not None:
            memory.fit(self.loss, beta=self.beta, seed=self.seed, corruption=self.corruption, threads=self.threads)
        self.memory_ = memory
        return self

    def transform(self, X: Any) -> Array:
        """The rows that X recalls, `[n_samples, n_features]`."""
        X = self._states(X)
        return self.memory_.retrieve(X, max_steps=self.max_steps, tolerance=self.tolerance, threads=self.threads)

    def predict_proba(self, X: Any) -> Array:
        """The weight of each label, `[n_samples, n_classes]`: the sum over the stored rows that have it."""
        X = self._states(X)
        if not hasattr(self, "classes_"):
            raise AttributeError("this memory was fitted without labels, y; fit it with them to predict")
        if self.max_steps > 1:
            X = self.memory_.retrieve(X, max_steps=self.max_steps - 1, tolerance=self.tolerance, threads=self.threads)
        weights = self.memory_.weights(X, threads=self.threads).astype(np.float64)
        shares = np.zeros((len(X), len(self.classes_)))
        for label in range(len(self.classes_)):
            shares[:, label] = weights[:, self.labels_ == label].sum(axis=1)
        normalised: Array = shares / shares.sum(axis=1, keepdims=True)
        return normalised

    def predict(self, X: Any) -> Array:
        """The label with the most weight."""
        shares = self.predict_proba(X)
        labels: Array = self.classes_[shares.argmax(axis=1)]
        return labels

    def _states(self, X: Any) -> Array:
        check_is_fitted(self, "memory_")
        states: Array = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return states

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """The names of the features that went in: recall keeps them."""
        check_is_fitted(self, "memory_")
        from sklearn.utils.validation import _check_feature_names_in

        names: Array = _check_feature_names_in(self, input_features)
        return names

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
