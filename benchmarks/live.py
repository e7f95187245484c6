"""What a live generator costs training: optimizer steps per second with one and without.

    python benchmarks/live.py --set epochs=1

Both runs train on the same tasks of the demo's document. Without: recorded tasks. With: a replay server, a process
of its own on the same machine, answers while training goes on; its own work is counted against lift here.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import lift

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "picardo"


def run(base: lift.BaseModel, generator: str, recipe: lift.Recipe) -> dict[str, Any]:
    document = lift.read_document(EXAMPLE / "picardo.txt", title="José Luis Picardo")
    lifted = lift.absorb(document, model=base, generator=generator, recipe=recipe)
    counts, seconds = lifted.manifest.counts, lifted.manifest.seconds
    lifted.close()
    return {
        "tasks": counts["tasks"],
        "steps_per_second": round(counts["steps"] / seconds["training"], 4),
        "tokens_per_second": counts["tokens_per_second"],
        "training_seconds": seconds["training"],
        "generation_seconds": seconds["generation"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--token", type=float, default=0.04, help="seconds a token of the replay server")
    parser.add_argument("--slots", type=int, default=8)
    arguments = parser.parse_args()
    recipe = lift.load_recipe("cpu", arguments.settings)
    base = lift.load_base_model()
    command = [sys.executable, "-m", "tests.replay_server", str(EXAMPLE / "tasks.jsonl"), "--slots"]
    command += [str(arguments.slots), "--first-token-seconds", "0.5", "--token-seconds", str(arguments.token)]
    server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout
    url = server.stdout.readline().strip()
    try:
        for name, generator in {"without": f"recorded:{EXAMPLE / 'tasks.jsonl'}", "with": url, "again": url}.items():
            print(json.dumps({"generator": name, **run(base, generator, recipe)}), flush=True)
    finally:
        server.communicate()


if __name__ == "__main__":
    main()
