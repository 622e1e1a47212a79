"""The likeliest classes of a sequence, given what each frame by itself says and how seldom classes change.

A hidden Markov chain in continuous time: events come at `rate` a second, and at each the class is drawn anew
from `prior`. Over a gap of t seconds the class is kept with probability s = exp(-rate t) and otherwise drawn,
P(i -> j) = s [i = j] + (1 - s) prior[j], so that a long gap leaves only the prior. Everything is in float64
logarithms: no evidence, however long the sequence, underflows.

Called by pulsaurora.classification.refine with checked, C-contiguous arrays: log_evidence (n, k), finite or
-inf, k up to 16; gaps_s (n - 1,), 0 or more; log_prior (k,). Results go into the caller's arrays; rows where
all classes are impossible come out NaN. Oracles: tests/naive.py::steady_posterior, ::steady_path.
"""

from libc.math cimport INFINITY, NAN, exp, expm1, log, log1p

cdef enum:
    MAX_CLASSES = 16


cdef inline double log_add(double a, double b) noexcept nogil:
    if a < b:
        a, b = b, a
    if b == -INFINITY:
        return a
    return a + log1p(exp(b - a))


cdef inline double log_sum(const double* terms, Py_ssize_t k) noexcept nogil:
    cdef double largest = -INFINITY, total = 0.0
    cdef Py_ssize_t j
    for j in range(k):
        if terms[j] > largest:
            largest = terms[j]
    if largest == -INFINITY:
        return largest
    for j in range(k):
        total += exp(terms[j] - largest)
    return largest + log(total)


def fill_posterior(
    const double[:, ::1] log_evidence,
    const double[::1] gaps_s,
    double rate,
    const double[::1] log_prior,
    double[:, ::1] posterior,
):
    """Fill posterior (n, k): the probability of each class at each frame given the whole sequence."""
    cdef Py_ssize_t n = log_evidence.shape[0], k = log_evidence.shape[1], t, j
    cdef double[MAX_CLASSES] after, weighted
    cdef double keep, draw, drawn, total
    if k > MAX_CLASSES:
        raise ValueError(f"{k} classes, at most {MAX_CLASSES}")
    if n == 0:
        return
    with nogil:
        # Forward: posterior holds log P(class at t, evidence up to t), scaled to sum to one.
        for j in range(k):
            posterior[0, j] = log_prior[j] + log_evidence[0, j]
        for t in range(1, n):
            total = log_sum(&posterior[t - 1, 0], k)
            keep = -rate * gaps_s[t - 1] - total
            draw = log(-expm1(-rate * gaps_s[t - 1]))
            for j in range(k):
                posterior[t, j] = log_evidence[t, j] + log_add(keep + posterior[t - 1, j], draw + log_prior[j])
        # Backward: `after` holds log P(evidence after t | class at t), up to a constant.
        for j in range(k):
            after[j] = 0.0
        for t in range(n - 1, -1, -1):
            if t < n - 1:
                for j in range(k):
                    after[j] += log_evidence[t + 1, j]
                    weighted[j] = after[j] + log_prior[j]
                drawn = log_sum(weighted, k)
                keep = -rate * gaps_s[t]
                draw = log(-expm1(keep)) + drawn
                for j in range(k):
                    after[j] = log_add(keep + after[j], draw)
                total = log_sum(after, k)
                for j in range(k):
                    after[j] -= total
            for j in range(k):
                posterior[t, j] += after[j]
            total = log_sum(&posterior[t, 0], k)
            for j in range(k):
                posterior[t, j] = exp(posterior[t, j] - total) if total > -INFINITY else NAN


def fill_path(
    const double[:, ::1] log_evidence,
    const double[::1] gaps_s,
    double rate,
    const double[::1] log_prior,
    signed char[:, ::1] came_from,
    signed char[::1] path,
):
    """Fill path (n,): the single likeliest sequence of classes. came_from (n, k) is working memory.

    Between equally likely sequences the one that changes less is taken, then the lower class.
    """
    cdef Py_ssize_t n = log_evidence.shape[0], k = log_evidence.shape[1], t, i, j, best
    cdef double[MAX_CLASSES] score, before
    cdef double log_keep, log_draw, stay, change
    if k > MAX_CLASSES:
        raise ValueError(f"{k} classes, at most {MAX_CLASSES}")
    if n == 0:
        return
    with nogil:
        for j in range(k):
            score[j] = log_prior[j] + log_evidence[0, j]
        for t in range(1, n):
            log_keep = -rate * gaps_s[t - 1]
            log_draw = log(-expm1(log_keep))
            for j in range(k):
                before[j] = score[j]
            for j in range(k):
                stay = before[j] + log_add(log_keep, log_draw + log_prior[j])
                best = j
                for i in range(k):
                    change = before[i] + log_draw + log_prior[j]
                    if i != j and change > stay:
                        stay = change
                        best = i
                score[j] = stay + log_evidence[t, j]
                came_from[t, j] = <signed char> best
        best = 0
        for j in range(1, k):
            if score[j] > score[best]:
                best = j
        for t in range(n - 1, -1, -1):
            path[t] = <signed char> best
            if t > 0:
                best = came_from[t, best]
