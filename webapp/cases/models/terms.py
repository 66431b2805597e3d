"""The words of a view."""

from __future__ import annotations

from django.db import models


class Laterality(models.TextChoices):
    RIGHT = "R", "Right"
    LEFT = "L", "Left"


class ViewPosition(models.TextChoices):
    CC = "CC", "CC"
    MLO = "MLO", "MLO"


class Origin(models.TextChoices):
    REAL = "real", "Real"
    PHANTOM = "phantom", "Phantom"
    SYNTHETIC = "synthetic", "Synthetic"
