"""Runs one function as Lambda would, in a new process, and prints the costs as JSON.

Its argument is JSON: the `paths` to import from, code to run `also`, the `events` to send, how often to send each
(`times`, after `warm_up` others), and the number of this `run`. It imports little: what it imports costs the function nothing.
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
    """Peak memory of this process in bytes; getrusage would include the parent's."""
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
            response = app.handler(event, Context())
            first = first or time.perf_counter() - begun
            statuses.append(response["statusCode"])
        parsing = time.process_time()
        for number in range(task["times"]):
            json.loads(text.replace("@number@", f"{task['run']}-{number}"))
        spent = time.process_time()
        result["requests"][name] = {
            "first": first,
            # Without the time to parse the event, which Lambda's runtime does.
            "cpu": (parsing - cpu - (spent - parsing)) / max(1, task["times"]),
            "statuses": sorted(set(statuses)),
        }
    print(json.dumps(result), file=out)


main()
