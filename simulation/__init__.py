"""Microcalcification cluster simulation, recombined enhancement and phantoms (no Django, no torch)."""
