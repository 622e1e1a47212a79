"""Numbers to labels: models, the pipeline of a night, batches of nights, training."""

import os

# onnxruntime tells its makers of each session unless it is told not to before it is imported, and keeps a
# database for that in the user's own folder.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
