"""Classifier two-sample test: can a classifier tell a tail from its prompt?

Lopez-Paz & Oquab (2017), "Revisiting classifier two-sample tests", ICLR. Second-long windows of both are described by
the mean and deviation of their log-mel bands and classified by logistic regression, cross-validated on windows that do
not touch the ones it was fitted to. The result is the area under the ROC curve: 0.5 is indistinguishable, 1 is
perfectly separable. What really came next is separable from the prompt as well: only the difference to that counts.
"""

from __future__ import annotations

import numpy as np

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.metrics.spectra import mel_frames

WINDOW_SECONDS = 1.0
FOLDS = 5
MIN_WINDOWS = 5  # of either
COMPONENTS = 12  # principal components that the classifier sees
PENALTY = 1.0  # on squared weights of standardised components
STEPS = 12  # of Newton's method


def separability(first: Recording, second: Recording) -> float:
    """Area under the ROC curve, 0..1, of a classifier between the seconds of two recordings of one sample rate.

    Raises:
        InputError: one of them has fewer than `MIN_WINDOWS` seconds.
    """
    parts = [_windows(each) for each in (first, second)]
    if min(map(len, parts)) < MIN_WINDOWS:
        raise InputError("separability", "too few seconds", f"give at least {MIN_WINDOWS} s of both")
    # Contiguous folds: neighbouring seconds resemble each other.
    folds = [np.arange(len(part)) * FOLDS // len(part) for part in parts]
    features, fold = np.concatenate(parts), np.concatenate(folds)
    label = np.repeat([0.0, 1.0], [len(part) for part in parts])
    scores = np.zeros(len(label))
    for held in range(FOLDS):
        test = fold == held
        scores[test] = _fitted(features[~test], label[~test], features[test])
    # Scores of different folds are not comparable: ranks within each are averaged.
    areas = [_area(scores[fold == held], label[fold == held]) for held in range(FOLDS)]
    return float(np.mean(areas))


def _windows(recording: Recording) -> np.ndarray:
    """Mean and deviation of log-mel bands of each whole second, ``[windows, features]``."""
    frames, rate = mel_frames(recording)
    size = round(WINDOW_SECONDS * rate)
    whole = frames[: len(frames) // size * size].reshape(-1, size, frames.shape[1])
    return np.concatenate([whole.mean(1), whole.std(1)], axis=1)


def _fitted(features: np.ndarray, label: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Scores of ``test`` by ridge-penalised logistic regression on principal components."""
    mean, scale = features.mean(0), features.std(0) + 1e-3
    standard = (features - mean) / scale
    _, _, basis = np.linalg.svd(standard, full_matrices=False)
    basis = basis[:COMPONENTS].T
    train, held = standard @ basis, ((test - mean) / scale) @ basis
    spread = train.std(0) + 1e-6
    train, held = np.c_[train / spread, np.ones(len(train))], np.c_[held / spread, np.ones(len(held))]
    weight = np.zeros(train.shape[1])
    balance = np.where(label == 1, 0.5 / label.mean(), 0.5 / (1 - label.mean()))
    penalty = np.diag([*np.full(train.shape[1] - 1, PENALTY), 1e-6])
    for _ in range(STEPS):
        predicted = 1 / (1 + np.exp(-(train @ weight).clip(-30, 30)))
        curvature = balance * predicted * (1 - predicted)
        gradient = train.T @ (balance * (predicted - label)) + penalty @ weight
        weight -= np.linalg.solve(train.T @ (train * curvature[:, None]) + penalty, gradient)
    return np.asarray(held @ weight)


def _area(score: np.ndarray, label: np.ndarray) -> float:
    """Area under the ROC curve: how often one of class 1 scores above one of class 0."""
    one, zero = score[label == 1], score[label == 0]
    return float(np.mean((one[:, None] > zero) + 0.5 * (one[:, None] == zero)))
