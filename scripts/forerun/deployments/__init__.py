"""Life after training: forecasts by origin, their scores, champion and challengers."""
