"""Mask R-CNN on torchvision (Van Camp et al., IWBI 2024, section 2.3)."""
