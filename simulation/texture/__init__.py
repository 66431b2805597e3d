"""Texture of the breast: the grid of cells and the 93 radiomics features that rank them."""

from simulation.texture.features import FEATURE_NAMES, CellFeatures, cell_features

__all__ = ["FEATURE_NAMES", "CellFeatures", "cell_features"]
