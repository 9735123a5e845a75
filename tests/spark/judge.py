"""Spark with Delta as .deps/spark has it: one session for the whole suite, and how its rows are held against ours."""

import os
import pathlib
import sys

REPO = pathlib.Path(__file__).resolve().parents[2]
SPARK = REPO / ".deps/spark"
sys.path[:0] = [str(SPARK / "python"), str(REPO / "tests/interop")]

SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.driver.memory": "1200m",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # For tables of some rows, a few tasks each: with the defaults a MERGE takes half a minute on two cores.
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
    # Nor is there anything to gain from compiling each query or planning it anew in the middle.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    # Short retentions are asked for where a test needs them.
    "spark.databricks.delta.retentionDurationCheck.enabled": "false",
    "spark.databricks.delta.vacuum.parallelDelete.enabled": "false",
}
JAVA = "-Duser.timezone=UTC -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xss4m"


def java_home():
    found = sorted(pathlib.Path("/usr/lib/jvm").glob("java-17-openjdk-*"))
    assert found, "Java 17 is not there: scripts/setup test"
    return found[0]


def open_session(folder):
    """A new session whose own files lie in `folder`."""
    os.environ |= {"SPARK_HOME": str(SPARK / "home"), "JAVA_HOME": str(java_home()), "TZ": "UTC", "SPARK_LOCAL_IP": "127.0.0.1",
                   "PYSPARK_PYTHON": sys.executable}
    log4j = folder / "log4j2.properties"
    log4j.write_text("rootLogger.level = error\nrootLogger.appenderRef.out.ref = out\nappender.out.type = Console\nappender.out.name = out\n"
                     "appender.out.target = SYSTEM_ERR\nappender.out.layout.type = PatternLayout\nappender.out.layout.pattern = %p %c: %m%n\n")
    from pyspark.sql import SparkSession
    builder = SparkSession.builder.master("local[2]").appName("judge")
    for key, value in SETTINGS.items():
        builder = builder.config(key, value)
    builder = builder.config("spark.driver.extraJavaOptions", f"{JAVA} -Dlog4j2.configurationFile={log4j} -Dderby.system.home={folder}")
    return builder.config("spark.sql.warehouse.dir", str(folder / "warehouse")).config("spark.local.dir", str(folder / "local")).getOrCreate()


def delta(path):
    """The table in Spark's SQL, by its path."""
    return f"delta.`{path}`"


def read_spark(spark, path, version=None, where=None):
    return spark.sql(f"select * from {delta(path)}{'' if version is None else f' version as of {version}'}{f' where {where}' if where else ''}").toArrow()


def assert_same(spark, path, version=None):
    """Spark and we read the same rows of the same types. Gives them, as Arrow."""
    from arrow_rows import difference, shape
    from sluice_runs import read_delta
    theirs = read_spark(spark, path, version)
    ours = read_delta(path, theirs.column_names, version)
    kinds = [{field.name: shape(field.type) for field in table.schema} for table in (ours, theirs)]
    assert kinds[0] == kinds[1], f"{path}: the types differ"
    assert (differs := difference(ours, theirs)) is None, f"{path}: {differs}"
    return theirs
