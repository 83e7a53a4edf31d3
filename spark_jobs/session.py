"""Starts Spark so that it works on a bare machine, listens on loopback only, and carries our code to its workers."""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import shutil
import socket
import sys
import tempfile
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from spark_jobs.errors import MachineError
from spark_jobs.java import find_java, java_home

WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONHASHSEED": "0",
    # oneDNN keeps the code it compiled for each shape, 1,024 of them, of which a worker would fill 100 MB.
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "32",
    # torch asks for pages of 2 MB: fewer of them to fetch, and fewer holes between large tensors.
    "THP_MEM_ALLOC_ENABLE": "1",
    # What lies in the folder that the command is typed in is no module of ours, whatever its name.
    "PYTHONSAFEPATH": "1",
}
"""Of the Python workers, unless `--conf spark.executorEnv...` says otherwise."""
_LOOPBACK = "127.0.0.1"
_REPOSITORY = Path(__file__).resolve().parent.parent
_LOGGING = Path(__file__).resolve().parent / "log4j2.properties"
_JAVA_OPTIONS = ("JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS")
_SHIPPED = ("data", "metrics", "spark_jobs")
_ZIP = "unrecite.zip"
_STANDALONE = "spark://"


def is_local(master: str) -> bool:
    """Whether Spark's tasks run on this machine, in threads of its one process, which knows of no GPU."""
    return re.match(r"local(\[|$)", master) is not None


def under_spark_submit() -> bool:
    """Whether `spark-submit` started this process, so that a JVM with its own settings is already there."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def _address_towards(master: str) -> str:
    """The address of this machine that the cluster at `master` can reach."""
    url = urlsplit(master.split(",")[0])
    if url.scheme != "spark" or not url.hostname:
        return socket.gethostbyname(socket.gethostname())
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((url.hostname, url.port or 7077))
            return probe.getsockname()[0]
    except OSError as error:
        raise MachineError(
            f"cannot find the Spark master {master}: {error}. Expected spark://HOST:PORT of a running master, "
            "or local[*] for this machine."
        ) from error


def check_reachable(master: str | None) -> None:
    """Says before a long job whether Spark could start after it: a Java that runs, a master whose name is known.

    Raises:
        MachineError: There is no such Java or master.
    """
    if not under_spark_submit():
        find_java()
        if _is_remote(master):
            _address_towards(master)


def _is_remote(master: str | None) -> bool:
    return bool(master) and not master.startswith("local") and _LOOPBACK not in master


def free_port(first: int, tries: int = 100) -> int:
    """The first port from `first` on that nobody listens on at loopback.

    Raises:
        MachineError: None of `tries` ports is free.
    """
    for port in range(first, min(first + tries, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((_LOOPBACK, port))
                return port
    raise MachineError(f"no free port for the Spark UI from {first} on; type --ui-port with another one.")


def package_zip(folder: Path) -> Path:
    """Packs the packages that workers need into a zip file in `folder`."""
    path = folder / _ZIP
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for package in _SHIPPED:
            for file in sorted((_REPOSITORY / package).rglob("*")):
                if file.is_file() and "__pycache__" not in file.parts:
                    archive.write(file, file.relative_to(_REPOSITORY))
    return path


def _collector() -> str:
    """Java's option for the parallel collector, unless the environment chooses one: Java refuses two.

    Throughput counts here, not pauses; it takes 7 % less CPU time than the default (`benchmarks/label_speed.py`).
    """
    chosen = " ".join(os.environ.get(name, "") for name in _JAVA_OPTIONS)
    return "" if "GC" in chosen else " -XX:+UseParallelGC"


def _checkpoint_folder(run_folder: Path) -> Path:
    """Where a cluster keeps what must outlive the machine that computed it; removed when this process ends.

    Its name is of the kind that the run folder clears when it is next opened, should this process be killed.
    """
    folder = run_folder.resolve() / f".writing-{os.getpid()}-checkpoints"
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _share_imports(conf: SparkConf, packages: Path) -> None:
    """Has workers forked from `spark_jobs.worker_daemon`, where that was tried: on Linux, without another scheduler."""
    master = conf.get("spark.master")
    if sys.platform != "linux" or not (is_local(master) or master.startswith(_STANDALONE)):
        return
    if conf.contains("spark.python.daemon.module"):
        return
    # Workers of other machines have fetched the file into their folder before they start Python there.
    path = [str(packages) if is_local(master) else _ZIP, conf.get("spark.executorEnv.PYTHONPATH", None)]
    conf.set("spark.executorEnv.PYTHONPATH", os.pathsep.join(filter(None, path)))
    conf.set("spark.python.daemon.module", "spark_jobs.worker_daemon")


def start(
    app_name: str,
    run_folder: Path,
    master: str | None,
    ui_port: int,
    cache: Path,
) -> SparkSession:
    """A Spark session whose UI is at `spark.sparkContext.uiWebUrl`.

    The environment that is set here reaches the JVM and, through it, the Python workers of this machine.

    Args:
        app_name: Shown in the UI.
        run_folder: Receives the event log (`spark-events/`) and Spark's log (`spark.log`).
        master: Spark master; None leaves it to `spark-submit`, or is `local[*]` without it.
        ui_port: First port to try for the UI.
        cache: Folder for what is needed on every run.

    Raises:
        MachineError: No Java, no such master, no free port, or the JVM did not start.
    """
    events = run_folder / "spark-events"
    events.mkdir(parents=True, exist_ok=True)
    log = run_folder / "spark.log"
    os.environ["PYTHONHASHSEED"] = "0"
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if not under_spark_submit():
        os.environ["JAVA_HOME"] = str(java_home(find_java(), cache))
        os.environ["UNRECITE_SPARK_LOG"] = str(log.resolve())
        # The web UI binds to this address whatever the driver's own address is.
        os.environ.setdefault("SPARK_LOCAL_IP", _LOOPBACK)

    settings = {
        "spark.ui.port": str(free_port(ui_port)),
        "spark.ui.showConsoleProgress": "false",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": events.resolve().as_uri(),
        "spark.eventLog.compress": "false",
        "spark.eventLog.rolling.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "2048",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.sql.execution.topKSortFallbackThreshold": "100000",  # else the first n of any n are sorted in the heap
        **{f"spark.executorEnv.{name}": value for name, value in WORKER_ENVIRONMENT.items()},
    }
    if not under_spark_submit():
        address = _address_towards(master) if _is_remote(master) else _LOOPBACK
        settings |= {
            "spark.driver.host": address,
            "spark.driver.bindAddress": address,
            "spark.driver.memory": "2g",
            "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={_LOGGING.as_uri()}{_collector()}",
        }
    if under_spark_submit():
        SparkContext._ensure_initialized()  # else `SparkConf` does not know what `spark-submit` was told
    conf = SparkConf()
    if master:
        conf.set("spark.master", master)
    conf.setIfMissing("spark.master", "local[*]")
    conf.setAppName(app_name)
    if not is_local(conf.get("spark.master")):
        settings["spark.checkpoint.dir"] = _checkpoint_folder(run_folder).as_uri()
    # Workers fetch it whenever they start, so it stays until this process ends.
    folder = tempfile.mkdtemp(prefix="unrecite-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    packages = package_zip(Path(folder))
    _share_imports(conf, packages)
    for key, value in settings.items():
        conf.set(key, value) if key == "spark.ui.port" else conf.setIfMissing(key, value)

    try:
        spark = SparkSession.builder.config(conf=conf).getOrCreate()
    except PySparkRuntimeError as error:
        raise MachineError(f"Spark's Java did not start; its log is {log}. ({error})") from error
    spark.sparkContext.setLogLevel("WARN")
    spark.sparkContext.addPyFile(str(packages))
    return spark
