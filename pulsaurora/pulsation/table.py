"""Every feature by name: the one table that the kernels, the model and docs/features.md follow.

The order of STRUCTURE, MODULATION, STARS and LAYOUT is the order of the columns of _core._structure,
_core/_modulation_columns.h, _core._stars and _core._layout. A change of name, order or meaning is a new
FEATURE_VERSION, and models trained on another version are refused.
"""

from dataclasses import dataclass, replace

FEATURE_VERSION = 9


@dataclass(frozen=True, slots=True)
class Feature:
    """Name, unit, meaning and source of one column."""

    name: str
    unit: str
    meaning: str
    source: str


_NOISE = "photon law measured on real frames: variance = 1.68 x counts above pedestal + 380"
_TENSOR = "structure tensor (Bigun and Granlund 1987)"
_HANN = "Hann-tapered discrete Fourier transform at the true times (Harris 1978)"
_PULSATION = "periods of pulsating aurora (Yamamoto 1988; Humberset et al. 2016)"
_PATCHES = "patchy against amorphous pulsating aurora (Grono and Donovan 2018)"
_FLOW = "brightness constancy (Horn and Schunck 1981), one motion for the whole sky"
_LOCAL_FLOW = "brightness constancy (Lucas and Kanade 1981), one motion for each region"
_BACKGROUND = "robust least squares (Huber 1964)"
_THROUGH = "cloud hides stars, aurora does not"
_FLEETING = "stars stand still from frame to frame"
_STACKED = "peak over photon noise, frames averaged"
_FOLLOWED = "cloud dims stars for longer than a frame, twinkling does not"
_REVERSALS = "turning points beyond a threshold (rainflow counting: Matsuishi and Endo 1968)"
_SUN_MOON = "ERFA (IAU SOFA); computable causes of bad viewing"
_STATISTIC = "plain statistic"

STRUCTURE = (
    Feature(
        "pedestal",
        "counts",
        "Darkest corner of the image, outside the optics; not given to the model.",
        "CCD pedestal",
    ),
    Feature("noise_ratio", "1", "Pixel noise over the photon law's; not given to the model.", _NOISE),
    Feature("brightness", "log10 counts", "Mean log brightness above pedestal.", _STATISTIC),
    Feature("brightness_p10", "log10 counts", "10th percentile over cells.", _STATISTIC),
    Feature("brightness_p50", "log10 counts", "Median over cells.", _STATISTIC),
    Feature("brightness_p90", "log10 counts", "90th percentile over cells.", _STATISTIC),
    Feature("brightness_spread", "dex", "Standard deviation of log brightness over cells.", _STATISTIC),
    Feature("brightness_skew", "1", "Skewness of log brightness over cells.", _STATISTIC),
    Feature("saturated", "fraction", "Sky at or near the top of the 16-bit range.", _STATISTIC),
    Feature("gradient", "dex/cell", "Mean gradient of log brightness.", _TENSOR),
    Feature("gradient_p95", "dex/cell", "95th percentile of the gradient.", _TENSOR),
    Feature(
        "texture_4px",
        "log10 dex^2",
        "Variance between neighbouring blocks of 4 pixels, photon noise off.",
        "Haar wavelet energy",
    ),
    Feature("texture_8px", "log10 dex^2", "The same at 8 pixels.", "Haar wavelet energy"),
    Feature("texture_16px", "log10 dex^2", "The same at 16 pixels.", "Haar wavelet energy"),
    Feature("texture_32px", "log10 dex^2", "The same at 32 pixels.", "Haar wavelet energy"),
    Feature(
        "elongation_local",
        "0 to 1",
        "Anisotropy of structure in 5 x 5 cells: arcs near 1, patches lower.",
        _TENSOR,
    ),
    Feature("elongation_sky", "0 to 1", "Anisotropy of structure over the whole sky.", _TENSOR),
    Feature(
        "point_sources",
        "log10(1 + n)",
        "Blocks holding a pixel far above its neighbours: stars in a clear sky.",
        "peak over photon noise",
    ),
    Feature(
        "point_strength",
        "log10(1 + sigma)",
        "Mean height of point sources over noise.",
        "peak over photon noise",
    ),
    Feature(
        "stars",
        "log10(1 + n)",
        "Point sources that stand alone: not edges of arcs, patches or cloud.",
        "peak over photon noise",
    ),
    Feature(
        "star_cover",
        "fraction",
        "Sectors of the sky (32 x 32 pixels) that hold such a star.",
        "peak over photon noise",
    ),
    Feature("glare", "dex", "Brightest cell over the median: moon, lights, twilight.", _STATISTIC),
    Feature("glare_area", "fraction", "Sky brighter than half the brightest cell.", _STATISTIC),
    Feature(
        "horizon_ratio",
        "dex",
        "Sky below 35 degrees against sky above 55 degrees of elevation.",
        "van Rhijn 1921",
    ),
    Feature("asymmetry", "dex", "Difference across the sky of a plane through log brightness.", _STATISTIC),
    Feature(
        "relief",
        "log10 dex",
        "Standard deviation over cells of the relief: log brightness less its smooth background "
        "(a plane, squares and a fourth power of position, fitted robustly).",
        _BACKGROUND,
    ),
    Feature("relief_skew", "1", "Mean cube of the relief over that of its standard deviation.", _BACKGROUND),
    Feature("relief_p98", "dex", "98th percentile of the relief over cells.", _BACKGROUND),
    Feature("relief_p2", "dex", "2nd percentile of the same.", _BACKGROUND),
    Feature("relief_bright", "fraction", "Sky more than 0.05 dex above its background.", _BACKGROUND),
    Feature("relief_strong", "fraction", "Sky more than 0.15 dex above it.", _BACKGROUND),
    Feature("relief_dark", "fraction", "Sky more than 0.05 dex below it.", _BACKGROUND),
    Feature("relief_elongation_sky", "0 to 1", "Anisotropy of the relief over the whole sky.", _TENSOR),
    Feature("relief_elongation_local", "0 to 1", "Anisotropy of the relief in 5 x 5 cells.", _TENSOR),
    Feature(
        "relief_regions",
        "log10(1 + n)",
        "Regions of two or more touching cells more than 0.05 dex above the background.",
        _PATCHES,
    ),
    Feature("relief_largest", "fraction of sky", "Size of the largest of them.", _PATCHES),
    Feature("relief_largest_elongation", "0 to 1", "Its elongation by second moments.", _PATCHES),
    Feature(
        "stars_in_bright",
        "log10",
        "Stars where the relief is above 0.04 dex over those expected there at the sky's mean density, "
        "two added to both.",
        _THROUGH,
    ),
    Feature("stars_in_dark", "log10", "The same where the relief is below -0.04 dex.", _THROUGH),
)

MODULATION = (
    Feature(
        "window_filled", "fraction", "Frames present in the window over those expected.", "archive cadence"
    ),
    Feature(
        "window_gap", "s", "Longest time without a frame in the window, its ends included.", "archive cadence"
    ),
    Feature("frac_modulated", "fraction", "Sky whose 6 to 40 s variation exceeds photon noise.", _NOISE),
    Feature(
        "frac_pulsating", "fraction", "Modulated sky that varies more within 40 s than slower.", _PULSATION
    ),
    Feature(
        "frac_strong", "fraction", "Pulsating sky with rms above 5 per cent of its brightness.", _PULSATION
    ),
    Feature("excess_p50", "log10", "Median over cells of 6 to 40 s power over photon noise.", _NOISE),
    Feature("excess_p90", "log10", "90th percentile of the same.", _NOISE),
    Feature("excess_p98", "log10", "98th percentile of the same.", _NOISE),
    Feature(
        "amplitude_p50",
        "log10",
        "Median over cells of 6 to 40 s rms relative to brightness, noise off.",
        _HANN,
    ),
    Feature("amplitude_p90", "log10", "90th percentile of the same.", _HANN),
    Feature("amplitude_p98", "log10", "98th percentile of the same.", _HANN),
    Feature("band_40_120", "fraction", "Share of modulated power at periods above 40 s.", _HANN),
    Feature("band_20_40", "fraction", "Share at 20 to 40 s.", _HANN),
    Feature("band_10_20", "fraction", "Share at 10 to 20 s.", _HANN),
    Feature("band_6_10", "fraction", "Share at 6 to 10 s.", _HANN),
    Feature(
        "flatness",
        "0 to 1",
        "Geometric over arithmetic mean of the 6 to 40 s spectrum.",
        "spectral flatness (Gray and Markel 1974)",
    ),
    Feature(
        "period_s", "s", "Geometric mean of the modulated cells' dominant periods; 0 where none.", _PULSATION
    ),
    Feature("period_prominence", "log10", "Dominant power over the mean of its band.", _HANN),
    Feature("period_spread", "dex", "Spread of dominant periods over modulated cells.", _HANN),
    Feature(
        "skewness", "1", "Skewness of modulated cells' brightness in time: pulses are positive.", _STATISTIC
    ),
    Feature("kurtosis", "log10", "Kurtosis of the same: single flashes are high.", _STATISTIC),
    Feature("duty_cycle", "fraction", "Time that modulated cells spend above their trend.", _PULSATION),
    Feature("crossings", "1/frame", "How often modulated cells cross their trend.", _STATISTIC),
    Feature(
        "coherence_near",
        "-1 to 1",
        "Correlation of neighbouring modulated cells at 6 to 40 s.",
        "cross-spectrum",
    ),
    Feature("coherence_far", "-1 to 1", "The same three cells apart.", "cross-spectrum"),
    Feature(
        "coherence_sky",
        "0 to 1",
        "Share of modulation that all modulated cells have in common.",
        "cross-spectrum",
    ),
    Feature(
        "motion",
        "0 to 1",
        "Phase lag between neighbours that the whole sky shares: drifting cloud.",
        "cross-spectrum",
    ),
    Feature(
        "propagation",
        "0 to 1",
        "Phase lag between neighbours whatever its direction: moving arcs.",
        "cross-spectrum",
    ),
    Feature("n_patches", "log10(1 + n)", "Patches of two or more touching pulsating cells.", _PATCHES),
    Feature("patch_size", "fraction of sky", "Mean size of those patches.", _PATCHES),
    Feature("patch_largest", "fraction of sky", "Size of the largest.", _PATCHES),
    Feature(
        "patch_elongation", "0 to 1", "Their mean elongation by second moments, weighted by size.", _PATCHES
    ),
    Feature("isolated", "fraction", "Pulsating cells that touch no other: stars, lamps, aircraft.", _PATCHES),
    Feature(
        "low_fraction",
        "fraction",
        "Modulated cells below 30 degrees of elevation: lamps on the ground.",
        _STATISTIC,
    ),
    Feature(
        "concentration",
        "fraction",
        "Share of all relative modulation in the three strongest cells.",
        _STATISTIC,
    ),
    Feature("trend", "1/min", "Relative change of the sky's mean brightness.", _STATISTIC),
    Feature(
        "trend_p90", "log10 1/min", "90th percentile over cells of the relative trend's size.", _STATISTIC
    ),
    Feature(
        "slow_amplitude_p90",
        "log10",
        "90th percentile over cells of rms at 40 to 120 s relative to brightness.",
        _HANN,
    ),
    Feature(
        "sky_amplitude", "log10", "6 to 40 s rms of the whole sky's mean relative to its brightness.", _HANN
    ),
    Feature(
        "flow_explained", "fraction", "Change between frames that one drift of the whole sky explains.", _FLOW
    ),
    Feature("flow_speed", "log10 cells/s", "Speed of that drift.", _FLOW),
    Feature("change", "log10 dex/s", "Rms rate of change of log brightness.", _FLOW),
    Feature(
        "flow_local_explained",
        "fraction",
        "Change between frames that a drift of its own in each region of 5 x 5 cells explains.",
        _LOCAL_FLOW,
    ),
    Feature(
        "flow_local_speed", "log10 cells/s", "Mean speed of those drifts, weighted by change.", _LOCAL_FLOW
    ),
    Feature(
        "beat_04",
        "fraction",
        "Sky that within 30 s either way both rises and falls by more than 0.04 of its mean level and 6 "
        "sigma of photon noise, the sky's median and each cell's line taken off.",
        _PULSATION,
    ),
    Feature("beat_16", "fraction", "The same by more than 0.16.", _PULSATION),
    Feature(
        "beat_on_edges",
        "-1 to 1",
        "Correlation over cells of log beat with log gradient of brightness: drifting structure beats where "
        "it is steep.",
        _STATISTIC,
    ),
    Feature(
        "beat_on_bright",
        "-1 to 1",
        "Correlation over cells of log beat with the relief of the time mean: patches beat where they shine.",
        _STATISTIC,
    ),
    Feature(
        "reversing_1",
        "log10(fraction + 0.003)",
        "Sky that in two minutes turns at least once from brightening to fading or back, each time by more "
        "than 4 % and 6 sigma of photon noise, the sky's median taken off.",
        _REVERSALS,
    ),
    Feature("reversing_2", "log10(fraction + 0.003)", "The same at least twice.", _REVERSALS),
    Feature("reversing_4", "log10(fraction + 0.003)", "The same at least four times.", _REVERSALS),
    Feature("reversing_7", "log10(fraction + 0.003)", "The same at least seven times.", _REVERSALS),
    Feature(
        "reversals_mean",
        "log10(1 + n)",
        "How often cells turn that do so at least twice: patches again and again, what sweeps by but once.",
        _REVERSALS,
    ),
    Feature(
        "reversing_largest",
        "log10(fraction + 0.003)",
        "Size of the largest region of touching cells that turn at least twice.",
        _PATCHES,
    ),
    Feature("reversing_alone", "fraction", "Such cells that touch no other.", _PATCHES),
)

STARS = (
    Feature(
        "faint_stars",
        "log10(1 + n)",
        "Blocks of 4 pixels with a peak that two minutes' mean lifts out of the noise: fainter stars.",
        _STACKED,
    ),
    Feature("faint_star_cover", "fraction", "Sky near which such stars stand.", _STACKED),
    Feature(
        "faint_in_bright",
        "log10",
        "Such stars where the mean's relief is above 0.04 dex over those expected there, two added to both.",
        _THROUGH,
    ),
    Feature("faint_in_dark", "log10", "The same where the relief is below -0.04 dex.", _THROUGH),
    Feature(
        "faint_on_relief",
        "-1 to 1",
        "Correlation over cells of their density with the relief, less where they are few.",
        _THROUGH,
    ),
    Feature(
        "faint_on_structure",
        "-1 to 1",
        "The same with the size of the relief, bright or dark.",
        _THROUGH,
    ),
    Feature(
        "passing_points",
        "log10(1 + n)",
        "Blocks of 4 pixels with a point 5 sigma above noise and none in the frames before and after: "
        "falling snow, aircraft, particles.",
        _FLEETING,
    ),
    Feature("lasting_points", "log10(1 + n)", "Such points that are in both: stars, lamps.", _FLEETING),
    Feature(
        "star_voids",
        "fraction",
        "Sky about which faint stars stand less than 0.3 times as densely as about its median cell.",
        _THROUGH,
    ),
    Feature(
        "star_clumping",
        "1",
        "Spread of their density over its mean, and over what chance makes of so few.",
        _THROUGH,
    ),
    Feature("star_void_relief", "dex", "Mean relief of those voids less that of the rest of it.", _THROUGH),
    Feature("steady_stars", "log10(1 + n)", "Stars bright enough for their light to be followed.", _STACKED),
    Feature(
        "dimming_p50",
        "fraction",
        "Median over those stars of how far nine frames' mean light falls below its greatest in two minutes.",
        _FOLLOWED,
    ),
    Feature("dimming_p85", "fraction", "85th percentile of the same.", _FOLLOWED),
    Feature("vanishing", "fraction", "Those stars that lose more than 0.7 of their light.", _FOLLOWED),
    Feature(
        "dimming_on_light",
        "-1 to 1",
        "Correlation in time of those stars' light with that of the sky about them: lit cloud below 0, dark "
        "cloud above, aurora none.",
        _THROUGH,
    ),
    Feature(
        "dimming_slope",
        "1/dex",
        "Relative change of those stars' light with the sky's log light, less where that hardly changes.",
        _THROUGH,
    ),
    Feature("light_by_stars", "log10 dex", "How much the sky about those stars changes in time.", _STATISTIC),
    Feature(
        "wavering_p50",
        "log10",
        "Median over those stars of their sparks' variance over half the mean square from frame to frame.",
        "von Neumann 1941",
    ),
    Feature("wavering_p85", "log10", "85th percentile of the same.", "von Neumann 1941"),
)


_RINGS = (
    "from 15 to 20 degrees of elevation",
    "from 20 to 26",
    "from 26 to 34",
    "from 34 to 44",
    "from 44 to 56",
    "from 56 to 70",
    "above 70",
)
_AROUND = "Fourier series in azimuth"
_NEARBY = "spatial autocorrelation"
_LIGHT = "log brightness of the look's mean, less its median"
_RELIEF = "the relief of the look's mean"
_VARIES = "the logarithm of what varies"


def _layout():
    """Return the columns of _core._layout, in its order."""

    def percentiles(name, percents, unit, what, source=_STATISTIC):
        for p in percents:
            rank = "Median" if p == 50 else f"{p}th percentile"
            yield Feature(f"{name}_p{p}", unit, f"{rank} over cells {what}.", source)

    yield from percentiles("mean_relief", (5, 10, 25, 75, 90, 95), "dex", f"of {_RELIEF}", _BACKGROUND)
    for name, what in (
        ("varying", "rms about a line in time"),
        ("quick", "rms change from frame to frame, over the root of two"),
        ("slow", "rms of the means of sevenths of the look"),
        ("drift", "size of the line's slope a minute"),
    ):
        yield from percentiles(name, (10, 25, 50, 75, 90, 98), "log10 dex", f"of the {what}, noise and all")
    for name, unit, what in (
        ("light", "dex", _LIGHT),
        ("varying", "log10 dex", _VARIES),
        ("quick", "log10 dex", "the logarithm of what changes from frame to frame"),
        ("structure", "dex", f"the size of {_RELIEF}"),
    ):
        for k, where in enumerate(_RINGS, 1):
            yield Feature(f"{name}_ring_{k}", unit, f"Median {where} of {what}.", _STATISTIC)
    for name, what in (("light", _LIGHT), ("relief", _RELIEF), ("varying", _VARIES)):
        for where in ("inner", "middle", "outer"):
            for k in (1, 2, 3):
                meaning = f"Amplitude of order {k} round the sky's {where} part of {what}."
                yield Feature(f"{name}_{where}_{k}", "dex", meaning, _AROUND)
    for name, what in (
        ("light_on_elevation", "the mean's log brightness with elevation"),
        ("varying_on_elevation", "log variation with elevation"),
        ("structure_on_elevation", "the size of the mean's relief with elevation"),
        ("varying_on_relief", "log variation with the mean's relief"),
        ("varying_on_structure", "log variation with the size of the mean's relief"),
        ("quick_on_relief", "log change from frame to frame with the mean's relief"),
        ("quick_on_varying", "log change from frame to frame with log variation"),
        ("drift_on_relief", "the line's slope with the mean's relief"),
        ("slow_on_varying", "log variation of sevenths with log variation"),
    ):
        yield Feature(name, "-1 to 1", f"Correlation over cells of {what}.", _STATISTIC)
    for name, what in (("relief", _RELIEF), ("varying", "log variation")):
        for where, height in (("low", "below 35 degrees"), ("high", "above 35 degrees")):
            for along, way in (("radial", "towards the middle of the sky"), ("round", "round it")):
                meaning = f"Rms gradient of {what} {way}, {height}."
                yield Feature(f"{name}_{along}_{where}", "log10 dex/cell", meaning, _TENSOR)
        for k in (1, 2, 3):
            alike = f"Correlation of {what} between cells {k} apart, mean of four directions."
            yield Feature(f"{name}_alike_{k}", "-1 to 1", alike, _NEARBY)
            yield Feature(f"{name}_uneven_{k}", "1", "Greatest of the four less least.", _NEARBY)


LAYOUT = tuple(_layout())

SUN_MOON = (
    Feature(
        "sun_elevation",
        "degrees",
        "Sun over the horizon; -90 where the site's position is not known.",
        _SUN_MOON,
    ),
    Feature(
        "moon_elevation",
        "degrees",
        "Moon over the horizon; -90 where the site's position is not known.",
        _SUN_MOON,
    ),
    Feature(
        "moon_illumination",
        "fraction",
        "Lit part of the moon's disc; 0 where the position is not known.",
        _SUN_MOON,
    ),
)

# What a camera is, rather than what the sky does, is kept out of the features.
N_HIDDEN = 2
# What `reduction.window_features` tells of one frame and of the window about it.
WINDOW_FEATURES = STRUCTURE[N_HIDDEN:] + MODULATION + STARS + SUN_MOON
WINDOW_NAMES = tuple(feature.name for feature in WINDOW_FEATURES)

_SPREAD = "Standard deviation of `{}` over the frames of the look."
_HALVES = "Mean of `{}` of the look's first half and of its last."
_CHANGE = "How far `{}` of the two halves lies apart."


def _of_look():
    """Return what `looks.look_features` tells of a look, in its order."""
    of_frame, of_time = STRUCTURE[N_HIDDEN:], MODULATION + STARS
    return (
        *of_frame,
        *(replace(f, name=f"{f.name}_sd", meaning=_SPREAD.format(f.name)) for f in of_frame),
        *of_time,
        *(replace(f, name=f"{f.name}_halves", meaning=_HALVES.format(f.name)) for f in of_time),
        *(replace(f, name=f"{f.name}_change", meaning=_CHANGE.format(f.name)) for f in of_time),
        *LAYOUT,
        *SUN_MOON,
    )


FEATURES = _of_look()
FEATURE_NAMES = tuple(feature.name for feature in FEATURES)


def markdown():
    """The table as docs/features.md has it."""
    lines = [
        "# Features",
        "",
        "One row a frame, that of its look: two minutes of frames. A look begins with every minute, and a",
        "frame is described by the look in whose middle minute it lies (beside a gap by the other that holds",
        "it, where that has a third more frames), so frames of a look have the same row. Cells are blocks of",
        "8 x 8 pixels at least 15 degrees above the horizon; brightness is counts above the pedestal.",
        f"This page is made by `make docs` from `pulsaurora/pulsation/table.py`, version {FEATURE_VERSION}.",
        "",
        "## Of each frame",
        "",
        "The mean over the look's frames; with `_sd` after the name their standard deviation.",
        "",
        *_table(STRUCTURE[N_HIDDEN:]),
        "",
        "## Of all frames together",
        "",
        "From the whole look, by a window about its middle frame; with `_halves` after the name the mean of",
        "what its first and its last half tell by themselves, from windows about its ends, and with",
        "`_change` how far these lie apart.",
        "",
        *_table(MODULATION + STARS),
        "",
        "## How the sky is laid out",
        "",
        "From the whole look. Where a ring of elevation has fewer than three cells, what lies between those",
        "beside it.",
        "",
        *_table(LAYOUT),
        "",
        "## Sun and moon",
        "",
        "At the middle of the look.",
        "",
        *_table(SUN_MOON),
    ]
    return "\n".join(lines) + "\n"


def _table(features):
    rows = [f"| `{f.name}` | {f.unit} | {f.meaning} | {f.source} |" for f in features]
    return ["| feature | unit | meaning | source |", "|---|---|---|---|", *rows]
