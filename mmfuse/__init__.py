"""Experiments in multimodal fusion, composed from the shell."""

__version__ = "0.1.0"
