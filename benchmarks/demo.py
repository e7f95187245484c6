"""The demo's figures: accuracy over seeds, seconds, tokens per second, peak memory.

python benchmarks/demo.py --seeds 3
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lift.evaluation.scores import wilson_interval

# The peak of a child's resident memory, which only the child itself can tell.
CHILD = """
import resource, sys
from lift.cli import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    arguments = parser.parse_args()
    right = asked = 0
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            done = subprocess.run(
                [sys.executable, "-c", CHILD, "demo", "--json", "--seed", str(seed), "--out", str(Path(folder, "a"))],
                capture_output=True,
                text=True,
                check=True,
            )
        result = json.loads(done.stdout)
        result["whole_demo_seconds"] = round(time.monotonic() - started, 1)
        result["peak_gib"] = round(int(done.stderr.split()[-1]) / 1024**2, 2)
        del result["folder"]
        print(json.dumps({"seed": seed, **result}), flush=True)
        right, asked = right + result["right_after"], asked + result["questions"]
    low, high = wilson_interval(right, asked)
    print(f"accuracy {right / asked:.1%} ({right} of {asked} answers; Wilson 95 % interval {low:.1%} to {high:.1%})")


if __name__ == "__main__":
    main()
