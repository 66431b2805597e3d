"""Pages of cases: list, home, import, and the images behind them."""
