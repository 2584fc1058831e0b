"""Proves that the cluster computes: pi, and that every worker took part.

Says what it found, and ends with one line of JSON: pi, the workers' host names and the rest. What it said is kept for
spark-finished. Exits non-zero, saying why, if a sum is wrong, if a worker that was expected did not take part, or if a
task failed.

    spark-submit pi.py --workers 2
"""

import argparse
import json
import math
import os
import random
import socket
import sys
import time
import urllib.request

from pyspark import BarrierTaskContext
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

ROW_BYTES = 1024


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, required=True, help="how many workers must take part")
    parser.add_argument("--name", default="pi", help="the application's name on the master's page")
    parser.add_argument("--shuffle-mib", type=int, default=200, help="how much to move between the workers")
    parser.add_argument("--samples", type=int, default=20_000_000, help="points thrown to find pi")
    parser.add_argument("--wait", type=int, default=300, help="seconds until every worker must be there, and again until it has an executor")
    return parser.parse_args()


def executors(spark):
    """What the application's own page says of its executors, the driver left out."""
    listed = spark.sparkContext._jsc.sc().statusStore().executorList(False)
    return [e for e in (listed.apply(i) for i in range(listed.size())) if e.id() != "driver"]


def hosts_of(found):
    return sorted({e.hostPort().rsplit(":", 1)[0] for e in found})


def alive():
    """How many workers the master has."""
    page = f"http://{os.environ.get('MASTER_CONTAINER_NAME', 'spark-master')}:8080/json/"
    try:
        with urllib.request.urlopen(page, timeout=5) as answer:
            return sum(worker["state"] == "ALIVE" for worker in json.load(answer)["workers"])
    except OSError:
        return 0


def wait_for_workers(wanted, seconds):
    """An application is given executors on the workers that are there when it comes: one that is back a moment later gets none."""
    deadline = time.monotonic() + seconds
    while (found := alive()) < wanted:
        if time.monotonic() > deadline:
            sys.exit(f"{found} of {wanted} workers are ALIVE on the master's page after {seconds} s: do their containers run?")
        time.sleep(0.5)


def wait_for_executors(spark, wanted, seconds):
    """A barrier needs all its executors at once: until each worker gives one, there is nothing to start."""
    deadline = time.monotonic() + seconds
    while len(hosts := hosts_of(executors(spark))) < wanted:
        if time.monotonic() > deadline:
            sys.exit(
                f"{len(hosts)} of {wanted} workers gave an executor within {seconds} s ({', '.join(hosts) or 'none'}): "
                "is each of them ALIVE on the master's page, with a core and the memory of an executor free?"
            )
        time.sleep(0.5)


def check_sum(spark):
    """A number that nobody could have written down beforehand."""
    n = random.randint(1_000_000, 10_000_000)
    found = spark.range(n).agg(f.sum("id")).first()[0]
    if found != n * (n - 1) // 2:
        sys.exit(f"the cluster says that the numbers below {n} add up to {found}; they add up to {n * (n - 1) // 2}")
    return n


def throw(seed, points):
    """How many of so many random points of the unit square lie in the circle."""
    import numpy

    x, y = numpy.random.default_rng(seed).random((2, points))
    return int((x * x + y * y <= 1).sum())


def compute_pi(spark, samples, tasks):
    seed, points = random.getrandbits(64), samples // tasks
    inside = spark.sparkContext.parallelize(range(tasks), tasks).map(lambda i: throw([seed, i], points)).sum()
    return 4 * inside / (points * tasks)


def meet(_):
    """Runs in each task of a barrier: waits for all the others, then says where it is."""
    BarrierTaskContext.get().barrier()
    yield socket.gethostname()


def hosts_at_barrier(spark, workers):
    found = spark.sparkContext.parallelize(range(workers), workers).barrier().mapPartitions(meet).collect()
    if len(set(found)) < workers:
        sys.exit(f"{workers} workers were to meet at a barrier, there were {', '.join(sorted(set(found)))}")
    return sorted(found)


def shuffle(spark, mib, partitions):
    """Sends rows that hardly compress from everyone to everyone, and counts what has arrived."""
    digests = [f.sha2(f.concat_ws("/", "id", f.lit(i)), 512) for i in range(ROW_BYTES // 128)]
    rows = spark.range(mib * 1024, numPartitions=partitions).select("id", f.concat(*digests).alias("payload"))
    # A pandas-free Python function would be slower, a plain length would be computed before the rows are sent.
    arrived = rows.repartition(partitions, f.xxhash64("id")).groupBy().agg(f.sum(f.length("payload"))).first()[0]
    if arrived != mib * 1024 * ROW_BYTES:
        sys.exit(f"{mib * 1024 * ROW_BYTES} bytes were sent between the workers, {arrived} have arrived")


def check_executors(spark, workers):
    """Every worker has done tasks and read what others sent, and no task failed."""
    found = executors(spark)
    busy = [e for e in found if e.completedTasks() and e.totalShuffleRead()]
    failed = sum(e.failedTasks() for e in found)
    if len(hosts_of(busy)) < workers or failed:
        sys.exit(f"only {', '.join(hosts_of(busy)) or 'none'} of {workers} workers did their part; {failed} tasks failed")
    return sum(e.totalShuffleRead() for e in found)


def in_words(found, samples):
    """The findings for people."""
    *others, last = found["hosts"]
    hosts = f"{', '.join(others)} and {last}" if others else last
    return (
        f"pi is about {found['pi']:.5f}: {samples:,} random points, thrown on {hosts}\n"
        f"{found['application']} took {found['seconds']} s; {found['shuffle_bytes'] / 2**20:.0f} MiB were shuffled, no task failed"
    )


def keep(application, text):
    """Where spark-finished finds it."""
    folder = "/var/lib/spark/events/.found"
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, application), "w") as file:
        file.write(text + "\n")


def main():
    asked = arguments()
    started = time.monotonic()
    wait_for_workers(asked.workers, asked.wait)
    settings = {
        # One core of each worker is enough, and leaves the others to whoever is at work.
        "spark.cores.max": asked.workers,
        # Work goes to whoever is free, and not to where most of the data is: a slow worker would be left without.
        "spark.locality.wait": "0s",
        "spark.shuffle.reduceLocality.enabled": "false",
        # It is over before the better of Java's two compilers has been worth its work.
        "spark.executor.defaultJavaOptions": "-XX:TieredStopAtLevel=1",
    }
    spark = SparkSession.builder.appName(asked.name).config(map=settings).getOrCreate()
    # If something is wrong, our own words are the last ones.
    spark.sparkContext.setLogLevel("ERROR")
    wait_for_executors(spark, asked.workers, asked.wait)
    summed = check_sum(spark)
    hosts = hosts_at_barrier(spark, asked.workers)
    shuffle(spark, asked.shuffle_mib, 4 * asked.workers)
    pi = compute_pi(spark, asked.samples, 4 * asked.workers)
    if abs(pi - math.pi) > 0.01:
        sys.exit(f"pi came out as {pi}")
    found = {
        "pi": pi,
        "hosts": hosts,
        "sum_below": summed,
        "shuffle_bytes": check_executors(spark, asked.workers),
        "seconds": round(time.monotonic() - started, 1),
        "application": spark.sparkContext.applicationId,
    }
    text = in_words(found, asked.samples)
    keep(found["application"], text)
    spark.stop()
    print(text)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
