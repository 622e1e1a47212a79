"""PFRR images made up for tests: FITS written by hand, header card by header card."""

import numpy as np

HEADER = {
    "SITE": "'PKR     '",
    "GLAT": "65.1260",
    "GLON": "-147.479",
    "OBSDATE": "'2015-10-07'",
    "OBSSTART": "'08:23:51.743'",
    "FILTWAV": "'0558    '",
}


def counts(side=512, seed=0):
    """Counts as the imager gives them: a pedestal, a glow in the middle, noise."""
    rng = np.random.default_rng(seed)
    across = np.exp(-8 * (np.arange(side) / side - 0.5) ** 2)
    glow = 200 * np.outer(across, across)
    return rng.normal(375 + glow, 8).astype(np.int16)


def fits_bytes(pixels, changed=None, extra_axis=False, dtype=">i2", bitpix=16):
    """The bytes of a FITS file with one image; header values that are None are left out."""
    shape = pixels.shape[::-1] + ((1,) if extra_axis else ())
    cards = {"SIMPLE": "T", "BITPIX": str(bitpix), "NAXIS": str(len(shape))}
    cards |= {f"NAXIS{i}": str(n) for i, n in enumerate(shape, 1)}
    cards |= HEADER | (changed or {})
    lines = [f"{key:<8}= {value:>20}".ljust(80) for key, value in cards.items() if value is not None]
    header = "".join([*lines, "END".ljust(80)]).encode()
    data = pixels.astype(dtype).tobytes()
    return header.ljust(-(-len(header) // 2880) * 2880) + data.ljust(-(-len(data) // 2880) * 2880, b"\0")


def name_of(clock="082351.743", wavelength="558", day="20151007", suffix=".FITS"):
    middle = f"0{wavelength}_" if wavelength else ""
    return f"PKR_DASC_{middle}{day}_{clock}{suffix}"


def write(folder, clock="082351.743", wavelength="558", pixels=None, suffix=".FITS", day="20151007", **known):
    """Write one image whose header tells what its name does; return its path."""
    pixels = counts() if pixels is None else pixels
    changed = {
        "OBSDATE": f"'{day[:4]}-{day[4:6]}-{day[6:]}'",
        "OBSSTART": f"'{clock[:2]}:{clock[2:4]}:{clock[4:]}'",
        "FILTWAV": f"'0{wavelength}    '" if wavelength else None,
    } | known.pop("changed", {})
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name_of(clock, wavelength, day, suffix)
    path.write_bytes(fits_bytes(pixels, changed, **known))
    return path
