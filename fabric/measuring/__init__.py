"""Measured collectives against our predictions: files of rows, the machines behind them, errors, intervals."""
