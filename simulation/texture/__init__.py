"""Texture of the breast: the grid of cells and the radiomics features that rank them."""
