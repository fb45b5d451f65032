"""Run a command; print its wall time, peak memory and output as JSON. Imports little, so as to weigh little."""

import json
import os
import resource
import sys
import tempfile
import time

with tempfile.TemporaryFile() as out:
    start = time.perf_counter()
    process = os.posix_spawn(
        sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, out.fileno(), 1)]
    )
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - start
    out.seek(0)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    report = {"seconds": seconds, "peak_mib": usage.ru_maxrss / unit, "floor_mib": own, "output": out.read().decode()}
print(json.dumps(report))
sys.exit(os.waitstatus_to_exitcode(status))
