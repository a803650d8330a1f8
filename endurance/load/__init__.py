"""Load: many threads on one predictor, workers that are killed, more trainings than cores."""
