# Read by Spark's own scripts ahead of each application.
spark-share 2>/dev/null || :
