"""Numbers to labels: models, the pipeline of a night, batches of nights, training."""
