"""The commands of ``python -m simulation``: each module adds its own parser with ``register(commands)``.

A command's function takes the parsed options and returns the exit status (0 done, 1 refused). Errors with a reason are
raised; `simulation.__main__` prints them.
"""
