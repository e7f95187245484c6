"""llama.cpp's own server on the embedded model, as a process: `python -m tests.llama_server` prints its URL."""

import os
import sys

import xllamacpp

from lift.model_files import embedded_gguf


def main() -> None:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(embedded_gguf())
    parameters.model_alias = {"smollm2"}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.n_ctx = 8192
    parameters.n_parallel = 2
    parameters.warmup = False
    # More threads would starve the trainer of its cores.
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)  # noqa: T201  # read by the test
    sys.stdin.read()
    os._exit(0)  # its own end would wait for its threads


if __name__ == "__main__":
    main()
