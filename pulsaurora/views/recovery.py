"""How well patches are found, as a picture: efficiency, errors and false patches."""

import numpy as np

from pulsaurora.pulsation.recovery_report import AIM_SNR, PERIOD_EDGES_S, wilson
from pulsaurora.views.keogram import write_figure

__all__ = ["draw_recovery", "write_figure"]

_COLORS = ("#0072B2", "#E69F00", "#009E73")


def draw_recovery(result):
    """Draw what `measure_recovery` gave.

    Parameters
    ----------
    result : Recovery

    Returns
    -------
    matplotlib.figure.Figure
        Efficiency against brightness, with 95 % intervals; efficiency against period; errors against
        brightness; false patches by what they were counted in.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 8), layout="constrained")
    axes = figure.subplots(2, 2)
    snrs = sorted({trial.snr for trial in result.trials})
    _efficiency(axes[0, 0], result, snrs)
    _by_period(axes[0, 1], result, snrs)
    _errors(axes[1, 0], result, snrs)
    _false(axes[1, 1], result)
    figure.suptitle(f"Patches added to {result.frames}", x=0.01, ha="left", fontweight="bold")
    return figure


def _with_intervals(axis, x, hits, color, label):
    shares = np.array([100 * h.mean() if len(h) else np.nan for h in hits])
    ends = np.array([[100 * end for end in wilson(h.sum(), len(h))] for h in hits])
    around = np.abs(ends.T - shares)
    axis.errorbar(
        x, shares, around, color=color, marker="o", markersize=4, capsize=2, linewidth=1, label=label
    )
    axis.set_ylim(-3, 103)
    axis.axhline(95, color="0.6", linewidth=0.8, linestyle="--")


def _efficiency(axis, result, snrs):
    found = [result.column("is_found", result.at(snr)) for snr in snrs]
    _with_intervals(axis, snrs, found, _COLORS[0], "all")
    axis.axvline(AIM_SNR, color="0.6", linewidth=0.8, linestyle="--")
    axis.set(xscale="log", xlabel="amplitude (sigma of a superpixel)", ylabel="patches found (%)")
    axis.set_xticks(snrs, [f"{snr:g}" for snr in snrs])
    axis.set_xticks([], minor=True)


def _by_period(axis, result, snrs):
    period, middles = result.column("period_s"), np.sqrt(np.multiply(PERIOD_EDGES_S[:-1], PERIOD_EDGES_S[1:]))
    for snr, color in zip([snr for snr in (1.5, 2.0, 3.0) if snr in snrs], _COLORS, strict=False):
        found = [
            result.column("is_found", result.at(snr) & (period >= low) & (period < high))
            for low, high in zip(PERIOD_EDGES_S[:-1], PERIOD_EDGES_S[1:], strict=True)
        ]
        _with_intervals(axis, middles, found, color, f"{snr:g} sigma")
    axis.set(xscale="log", xlabel="period (s)", ylabel="patches found (%)")
    axis.set_xticks([6, 10, 20, 40], ["6", "10", "20", "40"])
    axis.set_xticks([], minor=True)
    axis.legend(frameon=False)


def _errors(axis, result, snrs):
    for name, words, color in zip(
        ("on_s", "off_s", "period_s"), ("on-time", "off-time", "period"), _COLORS, strict=True
    ):
        errors = [np.abs(result.errors(name, result.at(snr))) for snr in snrs]
        middle = [np.median(e) if len(e) else np.nan for e in errors]
        axis.plot(snrs, middle, color=color, marker="o", markersize=4, linewidth=1, label=words)
    axis.axhline(3, color="0.6", linewidth=0.8, linestyle="--")
    axis.set(xscale="log", xlabel="amplitude (sigma of a superpixel)", ylabel="median error (s)")
    axis.set_ylim(0, None)
    axis.set_xticks(snrs, [f"{snr:g}" for snr in snrs])
    axis.set_xticks([], minor=True)
    axis.legend(frameon=False)


def _false(axis, result):
    rates = [10 * n / minutes for _, n, _, minutes in result.false]
    names = [what.removeprefix("simulated: ").replace("_", " ") for what, *_ in result.false]
    at = np.arange(len(rates))
    axis.barh(at, rates, color=_COLORS[0])
    axis.set_yticks(at, names, fontsize=6)
    axis.invert_yaxis()
    axis.axvline(1, color="0.6", linewidth=0.8, linestyle="--")
    axis.set(xlabel="false patches in ten minutes")
