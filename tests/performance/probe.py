"""Runs one function as Lambda would, and prints what that cost as JSON; a process of its own for each run.

Its argument is JSON: the `paths` to import from, what is to run `also`, the `events` to send, how often each
(`times`, after `warm_up` others), and which `run` this is. Imports nothing that the function could be spared to import.
"""

import json
import sys
import time
from pathlib import Path


class Context:
    function_name = "Function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:Function"
    aws_request_id = "5a5a5a5a-0000-4000-8000-5a5a5a5a5a5a"

    def get_remaining_time_in_millis(self):
        return 10_000


def memory():
    """The most that this process has had, in bytes; getrusage would count the process that started it too."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    return int(line.split()[1]) * 1024


def main():
    task = json.loads(sys.argv[1])
    sys.path[:0] = task["paths"]
    out, sys.stdout = sys.stdout, open("/dev/null", "w")  # noqa: PTH123, SIM115 (what functions print)
    started = time.perf_counter()
    import app

    exec(task["also"], {})  # noqa: S102
    result = {
        "import": time.perf_counter() - started,
        "modules": len(sys.modules),
        "memory": memory(),
        "requests": {},
    }
    for name, text in task["events"].items():
        statuses, first = [], None
        for number in range(-task["warm_up"], task["times"]):
            if number == 0:
                cpu = time.process_time()
            event = json.loads(text.replace("@number@", f"{task['run']}-{number}"))
            begun = time.perf_counter()
            answer = app.handler(event, Context())
            first = first or time.perf_counter() - begun
            statuses.append(answer["statusCode"])
        parsing = time.process_time()
        for number in range(task["times"]):
            json.loads(text.replace("@number@", f"{task['run']}-{number}"))
        spent = time.process_time()
        result["requests"][name] = {
            "first": first,
            # Less what making the event took, which Lambda's runtime does.
            "cpu": (parsing - cpu - (spent - parsing)) / max(1, task["times"]),
            "statuses": sorted(set(statuses)),
        }
    print(json.dumps(result), file=out)


main()
