"""The measuring half as Spark jobs: prepare, count, score, measure, label, summarize. Only this package imports pyspark."""
