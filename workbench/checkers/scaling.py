"""The universal scalability law, fitted: throughput X over concurrency N.

X(N) = λN / (1 + σ(N − 1) + κN(N − 1)) (N. J. Gunther, "Guerrilla Capacity Planning", 2007): λ is what one alone gets
done per second, σ the share of the work that waits for its turn, κ the price of keeping each in step with every other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from workbench.errors import UsageError

Floats = npt.NDArray[np.float64]

_ROUNDS = 60

# X = N / (a + b(N−1) + cN(N−1)) with a = 1/λ, b = σ/λ, c = κ/λ; where the best (a, b, c) breaks 0 ≤ b ≤ a or 0 ≤ c,
# the best that does not lies on an edge: b = 0, b = a, c = 0. Each row tells what the free numbers add to (a, b, c).
_EDGES = tuple(
    np.asarray(free, dtype=np.float64)
    for free in (
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[1, 0, 0], [0, 0, 1]],
        [[1, 0, 0], [0, 1, 0]],
        [[1, 0, 0]],
        [[1, 1, 0], [0, 0, 1]],
        [[1, 1, 0]],
    )
)


@dataclass(frozen=True, slots=True)
class Law:
    """One fit, or several: ``lambda_hz`` per second, ``sigma`` between 0 and 1, ``kappa`` not negative."""

    lambda_hz: Floats
    sigma: Floats
    kappa: Floats

    def __call__(self, concurrency: Floats) -> Floats:
        """Operations per second."""
        n = concurrency
        x: Floats = self.lambda_hz * n / (1 + self.sigma * (n - 1) + self.kappa * n * (n - 1))
        return x

    @property
    def peak(self) -> Floats:
        """The concurrency N* = √((1 − σ)/κ) beyond which more of it gets less done; infinite where κ is 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            peak: Floats = np.where(self.kappa > 0, np.sqrt((1 - self.sigma) / self.kappa), np.inf)
        return peak


def fit(concurrency: Floats, throughput: Floats) -> Law:
    """The law with the least squares of ``throughput`` (per second), for each row of the two arrays of one shape.

    Gauss–Newton steps, halved until they help, from the solution of the linear form N/X; on each edge of what the
    parameters may be, of which the best is taken. Raises `UsageError` unless all values are positive and there are at
    least three in a row.
    """
    n, x = np.atleast_2d(concurrency).astype(np.float64), np.atleast_2d(throughput).astype(np.float64)
    if n.shape != x.shape or n.shape[1] < 3 or not (np.all(n > 0) and np.all(x > 0)):
        raise UsageError("The scalability law is fitted to three or more positive pairs of concurrency and throughput.")
    terms = np.stack([np.ones_like(n), n - 1, n * (n - 1)], axis=-1)
    best, least = np.zeros((len(n), 3)), np.full(len(n), np.inf)
    for edge in _EDGES:
        found = _least_squares(n, x, terms, edge)
        error = _error(n, x, terms, found)
        allowed = (found[:, 0] > 0) & (found[:, 1:] >= 0).all(axis=1) & (found[:, 1] <= found[:, 0] * (1 + 1e-12))
        better = allowed & (error < least * (1 - 1e-12))
        best[better], least[better] = found[better], error[better]
    return Law(1 / best[:, 0], np.minimum(best[:, 1] / best[:, 0], 1.0), best[:, 2] / best[:, 0])


def _least_squares(n: Floats, x: Floats, terms: Floats, edge: Floats) -> Floats:
    design = terms @ edge.T
    p = _solve(design * (x * x / n)[..., None], x)  # the residual of the linear form, weighed as it counts in X
    error = _error(n, x, terms, p @ edge)
    for _ in range(_ROUNDS):
        below = _below(terms, p @ edge)
        step = _solve(-(n / below**2)[..., None] * design, x - n / below)
        size = np.ones(len(n))
        for _ in range(20):
            tried = p + size[:, None] * step
            after = _error(n, x, terms, tried @ edge)
            worse = after > error
            if not worse.any():
                break
            size = np.where(worse, size / 2, size)
        moved = after < error * (1 - 1e-13)
        p = np.where(moved[:, None], tried, p)
        error = np.where(moved, after, error)
        if not moved.any():
            break
    return p @ edge


def _solve(design: Floats, wanted: Floats) -> Floats:
    """Least squares for each row, also where the columns depend on one another."""
    return np.asarray((np.linalg.pinv(design, rcond=1e-13) @ wanted[..., None])[..., 0])


def _below(terms: Floats, abc: Floats) -> Floats:
    below = np.einsum("bsk,bk->bs", terms, abc)
    return np.where(np.abs(below) > 1e-12, below, 1e-12)


def _error(n: Floats, x: Floats, terms: Floats, abc: Floats) -> Floats:
    """The sum of squares; infinite where the law would not be positive."""
    below = _below(terms, abc)
    return np.where((below > 0).all(axis=1), np.sum((x - n / below) ** 2, axis=1), np.inf)
