"""Training and forecasting with the models of a run; the engines behind them."""
