"""Evaluation of detectors under a declared protocol (numpy and scipy alone)."""
