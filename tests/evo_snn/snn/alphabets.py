"""The levels of a weight, written down apart from the code that quantizes."""


def levels_of(bits, quantizer):
    """All levels of a weight, in ascending order."""
    if bits == 1:
        return [-1, 1]
    if quantizer == "uniform" or bits not in (3, 4):
        return list(range(-(2 ** (bits - 1)) + 1, 2 ** (bits - 1)))
    magnitudes = [1, 2, 4] if bits == 3 else [1, 2, 4, 8, 16, 32, 64]
    return [-m for m in reversed(magnitudes)] + [0] + magnitudes
