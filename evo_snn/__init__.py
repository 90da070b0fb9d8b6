"""Evolutionary, hardware-aware search of spiking neural networks for RRAM compute-in-memory chips."""

__version__ = "0.1.0"
