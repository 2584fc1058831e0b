"""Twenty jobs in a row, and in each every worker meets the others and sends them something. Runs beside pi.py, on the driver."""

import sys

sys.path.insert(0, "/opt/jobs")
import pi
from pyspark.sql import SparkSession

WORKERS, JOBS = 2, 20

pi.wait_for_workers(WORKERS, 600)
settings = {
    "spark.cores.max": WORKERS,
    "spark.locality.wait": "0s",
    "spark.shuffle.reduceLocality.enabled": "false",
    "spark.executor.defaultJavaOptions": "-XX:TieredStopAtLevel=1",
}
spark = SparkSession.builder.appName("row").config(map=settings).getOrCreate()
# The executors have it from here.
spark.sparkContext.addPyFile("/opt/jobs/pi.py")
pi.wait_for_executors(spark, WORKERS, 600)
for job in range(JOBS):
    hosts = pi.hosts_at_barrier(spark, WORKERS)
    pi.shuffle(spark, 1, 2 * WORKERS)
    print(f"job {job + 1}: {', '.join(hosts)}")
pi.check_executors(spark, WORKERS)
spark.stop()
print("all well")
