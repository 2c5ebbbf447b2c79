"""A consumer at the site: loads the installed ONNX model and answers, in a process of its own.

    python -m sealift_registry.demo.answer MODEL-FOLDER HELD-OUT.npz

It knows nothing of Sealift: a folder, a file, onnxruntime.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main(folder: Path, held_out: Path) -> None:
    """Say how many rows there were, how many answers were right, and how long they took."""
    import numpy as np
    import onnxruntime

    (model,) = sorted(folder.glob("*.onnx"))
    rows = np.load(held_out)
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    began = time.perf_counter()
    labels = session.run([session.get_outputs()[0].name], {name: rows["inputs"]})[0]
    seconds = time.perf_counter() - began
    told = {
        "model": model.name,
        "rows": len(labels),
        "right": int((labels == rows["labels"]).sum()),
        "milliseconds": round(seconds * 1000, 3),
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
