"""The measuring half as Spark jobs: prepare, count, score, measure, label, summarize; the only user of pyspark."""
