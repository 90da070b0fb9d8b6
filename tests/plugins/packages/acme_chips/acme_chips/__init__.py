"""Chips are data: evo_snn reads the files beside this one, and never runs it."""

raise RuntimeError("a chip's package was imported")
