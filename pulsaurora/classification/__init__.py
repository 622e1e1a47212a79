"""Numbers to labels: models, the pipeline of a night, batches of nights, training."""

import os

# onnxruntime tells its makers of each session unless it is told not to before it is imported, and keeps a
# database for that in the user's own folder.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# Arrow's own allocator keeps some 10 MB of what threads that wrote tables had, and cannot be told to give
# them back; the system's is as fast here. It is chosen when pyarrow is imported.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
