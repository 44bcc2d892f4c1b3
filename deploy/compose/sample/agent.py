"""The sample agent: a task of eight calls again and again. Use: agent.py URL [TASKS]; without TASKS it goes on."""
import itertools
import sys
import time
import urllib.error
import urllib.request
import uuid

url, tasks = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None
for n in itertools.count() if tasks is None else range(tasks):
    run = uuid.uuid4().hex
    for i in range(8):
        method, path = ("POST", "/v1/refunds") if i == 7 else ("GET", f"/v1/orders/{1000 + n * 8 + i}")
        request = urllib.request.Request(url + path, method=method, headers={"x-agent-id": "sample/refunds", "x-agent-run-id": run})
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                response.read()  # who closes before the end is logged as aborted
                status = response.status
        except urllib.error.HTTPError as e:
            status = e.code
        except OSError as e:
            status = str(e)
        print(run, method, path, status, flush=True)
        time.sleep(0.2)
