"""The process that Spark forks its Python workers from, with what they need imported before the first fork.

In place of `pyspark.daemon`, which forks first and leaves it to each worker to import torch and transformers. Imported
here, their pages are shared, and a worker that Spark starts anew, since it ends those that were idle for a minute, is
there at once (`benchmarks/spark_overhead.py` prints what a worker shares).

What starts threads when it is imported can't be here, since a fork takes but one thread along: pyarrow. Nor anything
that asks CUDA for devices, which a fork does not survive. `tests/spark_jobs/test_worker_daemon.py` sees to both.
"""

from __future__ import annotations

import gc

import pyspark.worker  # noqa: F401
from pyspark import daemon

import metrics.categories
import metrics.forward_pass
import metrics.loading  # noqa: F401

if __name__ == "__main__":
    gc.collect()
    gc.freeze()  # the collector of a worker would write to every object it looks at, and so copy its page
    daemon.manager()
