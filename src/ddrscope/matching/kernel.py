"""How different two sets of points are: the maximum mean discrepancy (Gretton et al. 2012), and weights that minimise it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls
from scipy.spatial.distance import cdist

# Widths of the Gaussians whose mean is the kernel, in units of the distance of two points that differ by content alone.
WIDTHS = (0.5, 1.0, 2.0, 4.0)
# Keeps the minimisation stable where chains cannot be told apart: it spreads the weight over them.
RIDGE = 1e-3
# Rows of the kernel are averaged part by part, since the whole of it needs much memory.
_GROUPS_AT_ONCE = 64
# How strongly the sum of the weights is held at 1.
_SUM = 100.0


def kernel(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """The kernel of points (N, K) and (M, K) whose content varies with variance 1 along each axis, (N, M)."""
    squares = cdist(left, right, "sqeuclidean") / (2 * left.shape[1])
    result: NDArray[np.float64] = np.mean([np.exp(-squares / (2 * width**2)) for width in WIDTHS], axis=0)
    return result


def group_kernel(points: NDArray[np.float64], others: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """The mean kernel of groups of ``size`` points in turn (N, K) and of each of other points (M, K), (N / size, M)."""
    groups = len(points) // size
    result = np.empty((groups, len(others)))
    for start in range(0, groups, _GROUPS_AT_ONCE):
        part = points[start * size : (start + _GROUPS_AT_ONCE) * size]
        result[start : start + _GROUPS_AT_ONCE] = kernel(part, others).reshape(-1, size, len(others)).mean(1)
    return result


def discrepancy(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """The squared maximum mean discrepancy of two sets of points, unbiased: it may be negative; 0 if they are alike."""
    own = [kernel(points, points) for points in (left, right)]
    inner = [(matrix.sum() - np.trace(matrix)) / (len(matrix) * (len(matrix) - 1)) for matrix in own]
    return float(inner[0] + inner[1] - 2 * kernel(left, right).mean())


def matching_weights(between: NDArray[np.float64], towards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of groups of points whose mixture is nearest to other points.

    Args:
        between: The mean kernel of each two groups, (C, C).
        towards: The mean kernel of each group and the other points, (C,).

    Returns:
        Weights of at least 0 that sum to 1, (C,): the minimum of a convex problem.
    """
    count = len(between)
    lower = cholesky(between + RIDGE * np.eye(count), lower=True)
    target = solve_triangular(lower, towards, lower=True)
    rows = np.vstack([lower.T, np.full((1, count), _SUM)])
    weights, _ = nnls(rows, np.append(target, _SUM), maxiter=50 * count)
    total = float(weights.sum())
    result: NDArray[np.float64] = weights / total if total > 0 else np.full(count, 1 / count)
    return result
