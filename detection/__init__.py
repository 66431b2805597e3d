"""Lesion detectors, their training and their evaluation (no Django)."""
