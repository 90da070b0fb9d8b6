"""Genes, search spaces, architectures and workloads: what a network is, without torch."""
