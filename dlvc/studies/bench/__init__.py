"""How fast the training loop is, beside the machine's limit and beside the loops that others would write.

`python -m dlvc bench` runs it. In reading order: `loaders` (batches), `loops` (what is compared), `measure` (an epoch
of each, by turns), `step_kinds` (what else a step could be), `curves` (data size, batch size, threads, start),
`results` (record and tables), `targets` (what the numbers should be), `command`.
"""

from dlvc.studies.bench.command import run_bench
from dlvc.studies.bench.figure import bench_figure
from dlvc.studies.bench.results import BENCH_RECORDS, as_one, load_benches
