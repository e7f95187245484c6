"""What a live generator costs training: optimizer steps per second with one and without.

    python benchmarks/live.py --set epochs=1

All runs train on the same tasks of the demo's document. Alone: recorded tasks. Live: a replay server, a process of its
own on the same machine, answers while training goes on. Beside curl: recorded tasks again, while `curl` processes put
the same requests to the same server and throw the answers away; what live costs beyond that is lift's client.
"""

import argparse
import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from replay import replay_server

import lift
from lift.synthesis.backends.openai import OpenAIBackend

EXAMPLE = Path(__file__).parents[1] / "examples" / "picardo"


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


@contextmanager
def curls(url: str, recipe: lift.Recipe, slots: int) -> Iterator[None]:
    """`curl` puts the requests of the demo's document to the server, `slots` at a time, until the context ends."""
    document = lift.read_document(EXAMPLE / "picardo.txt", title="José Luis Picardo")
    backend = OpenAIBackend(url, "replay")
    bodies = [
        json.dumps(
            {
                "model": "replay",
                "stream": True,
                "messages": [
                    {"role": "system", "content": request.system},
                    {"role": "user", "content": request.user},
                ],
            }
        )
        for request in backend.requests(document, backend.segments(document, recipe), recipe)
    ]
    post = ["curl", "-sN", "-o", "/dev/null", "-H", "Content-Type: application/json", "--data-binary", "@-"]

    def ask(body: str) -> None:
        subprocess.run([*post, f"{url}/chat/completions"], input=body, text=True, check=True)

    with ThreadPoolExecutor(slots) as pool:
        asked = [pool.submit(ask, body) for body in bodies]
        yield
        for future in asked:
            future.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--token", type=float, default=0.04, help="seconds a token of the replay server")
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--times", type=int, default=2)
    arguments = parser.parse_args()
    recipe = lift.load_recipe("cpu", arguments.settings)
    base = lift.load_base_model()
    tasks = EXAMPLE / "tasks.jsonl"
    with replay_server(tasks, slots=arguments.slots, first_token=0.5, token=arguments.token) as url:
        for _ in range(arguments.times):
            for name in ("alone", "live", "beside curl"):
                with curls(url, recipe, arguments.slots) if name == "beside curl" else nullcontext():
                    result = run(base, url if name == "live" else f"recorded:{tasks}", recipe)
                print(json.dumps({"generator": name, **result}), flush=True)


if __name__ == "__main__":
    main()
