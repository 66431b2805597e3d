"""Realism measures M1-M6: how far synthetic lesions are from real ones, with intervals and sample sizes.

`evaluation.evaluate` runs all of them on two lists of lesions; each measure can be used on its own. None of them needs
readers, and none of them can show that images are indistinguishable: they find differences or fail to.
"""
