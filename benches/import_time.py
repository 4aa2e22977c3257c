"""What `import voip` takes beyond the interpreter's own start, in turns. Prints JSON.

    python import_time.py [ROUNDS 20]
"""

import json
import statistics
import subprocess
import sys
import time

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 20
PROGRAMS = {"nothing": "pass", "voip": "import voip", "voip.aio": "import voip.aio"}

took: dict[str, list[float]] = {name: [] for name in PROGRAMS}
for number in range(ROUNDS + 1):
    for name, program in PROGRAMS.items():
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], check=True)
        if number:  # the first reads from disk
            took[name].append((time.perf_counter() - began) * 1e3)
medians = {name: statistics.median(times) for name, times in took.items()}
more = medians["voip"] - medians["nothing"]
print(
    json.dumps(
        {
            "what": "milliseconds from start to end of an interpreter, medians",
            **{name: round(time, 1) for name, time in medians.items()},
            "bars": [{"what": "import voip, ms more", "found": round(more, 1), "most": 50, "held": more <= 50}],
        },
        indent=1,
    )
)
