"""Near-duplicates within the input: exact copies are collapsed, the rest is compared through MinHash.

1. Rows with the same tokens are counted; the one with the smallest id stands for them.
2. Each of these gets a signature of 128 minima; 30 of them make 6 bands of 5.
3. Rows that agree in a band are candidates. Each is compared with the smallest id of its bucket, and with the smallest
   of those that agree in the following band, too; not with every other, so that a licence with thousands of near
   copies costs thousands of comparisons and not millions.
4. Candidates whose estimated Jaccard similarity is at least 0.8 are linked; a group is all that links reach.

The chance 1 - (1 - J^5)^6 that two rows of similarity J share a band:

    J        0.3    0.5    0.6    0.7    0.8    0.85   0.9    0.95
    chance   0.014  0.173  0.385  0.668  0.908  0.970  0.995  1.000

The bands are generous, since the comparison that follows drops what is below 0.8. Rows of one family that only just
reach 0.8 can still end in several groups: what the buckets' smallest ids do not link stays apart.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from metrics.minhash import NEAR, band_keys, estimated_jaccard, signatures, sketches
from spark_jobs import workers

_MAX_ROUNDS = 30  # stars form in O(log^2 rows) rounds; real inputs take two to four
_DISTINCT = "sequence_id long, copies long, bands array<long>, sketch binary"
_PAIR = "one long, other long"


def near_duplicates(sequences: DataFrame) -> DataFrame:
    """Which rows of the input are copies of each other, exactly or nearly.

    Runs Spark jobs at once; the result stands on checkpointed tables that Spark drops when nobody holds them.

    Args:
        sequences: `sequence_id`, `tokens`, all rows of one length.

    Returns:
        `sequence_id`, `copies_in_input`, `near_duplicates`, `near_duplicate_group`, as `metrics.minhash.COLUMNS` says.
    """
    rows = _kept(_copies(sequences))
    firsts = rows.where("sequence_id = first").select("sequence_id", "copies")
    distinct = sequences.join(firsts.hint("shuffle_hash"), "sequence_id").mapInArrow(_signed, _DISTINCT)
    distinct = _kept(distinct)
    groups = connected(_links(distinct))
    sizes = groups.join(distinct.select("sequence_id", "copies"), "sequence_id").groupBy("group")
    sizes = sizes.agg(F.sum("copies").alias("near"))
    linked = groups.join(sizes, "group").select(F.col("sequence_id").alias("first"), "group", "near")
    return rows.join(linked, "first", "left").select(
        "sequence_id",
        F.col("copies").alias("copies_in_input"),
        F.coalesce("near", "copies").alias("near_duplicates"),
        F.coalesce("group", "first").alias("near_duplicate_group"),
    )


def connected(links: DataFrame) -> DataFrame:
    """The connected components of a graph, by alternating large stars and small stars.

    A large star ties every larger neighbour of a node to the smallest of its neighbours and itself; a small star does
    the same with the smaller ones. Both keep the components, and what both leave alone is a forest of stars whose
    centres are the smallest nodes (Kiveris et al. 2014, Connected Components in MapReduce and Beyond, SoCC).

    Args:
        links: `one`, `other`, with one > other; long.

    Returns:
        `sequence_id`, `group`: each node that has a link, and the smallest node of its component.

    Raises:
        RuntimeError: The stars have not formed after 30 rounds.
    """
    links = _kept(links.distinct())
    before = None
    for _ in range(_MAX_ROUNDS):
        now = links.agg(F.count("*"), F.bit_xor(F.xxhash64("one", "other"))).first()
        if now == before or now[0] == 0:
            ends = links.select(F.col("one").alias("sequence_id"), F.col("other").alias("group"))
            centres = links.select("other").distinct().select("other", F.col("other").alias("group"))
            return ends.union(centres)
        links, before = _kept(_small_stars(_large_stars(links))), now
    raise RuntimeError(f"the groups of near-duplicates were still changing after {_MAX_ROUNDS} rounds")


def _kept(frame: DataFrame) -> DataFrame:
    """`frame` computed now, with no memory of how.

    Where the session has a folder for checkpoints (a cluster: see `spark_jobs.session`) it goes there and outlives the
    machine that computed it; a local checkpoint goes with its executor, and the job with it.
    """
    is_lasting = frame.sparkSession.sparkContext.getCheckpointDir() is not None
    return frame.checkpoint() if is_lasting else frame.localCheckpoint()


def _copies(sequences: DataFrame) -> DataFrame:
    """`sequence_id`, `copies`, `first`: how often each row's tokens occur, and the smallest id that has them.

    Tokens are compared by 128 bits of two hashes: that any two of a billion different rows agree in them has a chance
    of about 10^-21, and moving hashes instead of tokens takes half the time.
    """
    hashes = [F.xxhash64(F.lit(seed), "tokens").alias(name) for seed, name in enumerate(("hash", "other_hash"))]
    hashed = sequences.select("sequence_id", *hashes)
    same = hashed.groupBy("hash", "other_hash").agg(F.min("sequence_id").alias("first"), F.count("*").alias("copies"))
    return hashed.join(same.hint("shuffle_hash"), ["hash", "other_hash"]).select("sequence_id", "first", "copies")


@workers.settled
def _signed(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Bands and sketches of rows with tokens."""
    for batch in batches:
        if batch.num_rows == 0:
            continue
        signature = signatures(workers.matrix(batch.column("tokens"), batch.num_rows))
        described = [workers.lists(band_keys(signature)), _as_binary(sketches(signature))]
        yield pa.RecordBatch.from_arrays(
            [batch.column("sequence_id"), batch.column("copies"), *described],
            names=["sequence_id", "copies", "bands", "sketch"],
        )


def _as_binary(rows: np.ndarray) -> pa.Array:
    N, width = rows.shape
    offsets = np.arange(0, (N + 1) * width, width, dtype=np.int32)
    return pa.Array.from_buffers(
        pa.binary(), N, [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(rows))]
    )


def _links(distinct: DataFrame) -> DataFrame:
    """Pairs of similar rows, `one` > `other`: each row of a bucket with the smallest ones, where they are similar."""
    pieces = int(distinct.sparkSession.conf.get("spark.sql.shuffle.partitions"))
    # The members of a piece travel together: as a row each, six for a sequence, they cost Java several times as much.
    members = distinct.select("sequence_id", "bands").mapInArrow(_scattered(pieces), "piece int, members binary")
    candidates = members.repartition(pieces, "piece").mapInArrow(_tied, _PAIR).distinct()
    return (
        candidates.join(distinct.select(F.col("sequence_id").alias("one"), F.col("sketch").alias("one_sketch")), "one")
        .join(distinct.select(F.col("sequence_id").alias("other"), F.col("sketch").alias("other_sketch")), "other")
        .mapInArrow(_similar, _PAIR)
    )


def _scattered(pieces: int) -> workers.ArrowFunction:
    """Rows as members of their buckets, which are spread over so many pieces by their keys.

    The members of a piece are int64 [n, 3]: the key of the band, that of the following band, and the sequence's id.
    """

    @workers.settled
    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in workers.together(batches):
            bands = workers.matrix(batch.column("bands"), batch.num_rows)
            ids = np.broadcast_to(batch.column("sequence_id").to_numpy()[:, None], bands.shape)
            members = np.stack([bands, np.roll(bands, -1, axis=1), ids], axis=-1).reshape(-1, 3)
            piece = (members[:, 0].view(np.uint64) % np.uint64(pieces)).astype(np.int32)
            order = np.argsort(piece, kind="stable")
            counts = np.bincount(piece, minlength=pieces)
            parts = np.split(members[order], np.cumsum(counts)[:-1])
            used = np.flatnonzero(counts)
            yield pa.RecordBatch.from_arrays(
                [
                    pa.array(used.astype(np.int32)),
                    pa.array([parts[place].tobytes() for place in used], pa.binary()),
                ],
                names=["piece", "members"],
            )

    return run


@workers.settled
def _tied(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Pairs to compare, from all members of some buckets: each with the smallest of them, and with the smallest of
    those that agree in the following band, too."""
    held = [blob for batch in batches for blob in batch.column("members").to_pylist()]
    members = np.frombuffer(b"".join(held), np.int64).reshape(-1, 3)
    members = members[np.argsort(members[:, 0], kind="stable")]
    same = members[1:, 0] == members[:-1, 0]
    shared = np.append(same, False) | np.insert(same, 0, False)[: len(members)]
    members = members[shared]  # most buckets hold one
    band, following, ids = members[np.lexsort((members[:, 2], members[:, 1], members[:, 0]))].T
    pairs = []
    for is_new in (_changes(band), _changes(band) | _changes(following)):
        starts = np.flatnonzero(is_new)
        if len(starts):
            smallest = np.minimum.reduceat(ids, starts)[np.cumsum(is_new) - 1]
            pairs.append(np.stack([ids, smallest], axis=1)[ids != smallest])
    if pairs:
        found = np.unique(np.concatenate(pairs), axis=0)
        yield pa.RecordBatch.from_arrays([pa.array(side) for side in found.T.copy()], names=["one", "other"])


def _changes(values: np.ndarray) -> np.ndarray:
    """bool [N]: the value is not that before it."""
    return np.append(True, values[1:] != values[:-1])[: len(values)]


@workers.settled
def _similar(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if batch.num_rows == 0:
            continue
        one, other = (_as_matrix(batch.column(name)) for name in ("one_sketch", "other_sketch"))
        near = pa.array(estimated_jaccard(one, other) >= NEAR)
        yield batch.select(["one", "other"]).filter(near)


def _as_matrix(sketch: pa.Array) -> np.ndarray:
    return np.frombuffer(b"".join(sketch.to_pylist()), dtype=np.uint8).reshape(len(sketch), -1)


def _large_stars(links: DataFrame) -> DataFrame:
    both = links.union(links.select(F.col("other").alias("one"), F.col("one").alias("other")))
    smallest = F.least(F.min("other").over(Window.partitionBy("one")), "one")
    tied = both.select("one", "other", smallest.alias("centre")).where("other > one")
    return tied.select(F.col("other").alias("one"), F.col("centre").alias("other"))


def _small_stars(links: DataFrame) -> DataFrame:
    smallest = F.min("other").over(Window.partitionBy("one"))
    tied = links.select("one", "other", smallest.alias("centre"))
    own = tied.select("one", F.col("centre").alias("other"))
    others = tied.where("other > centre").select(F.col("other").alias("one"), F.col("centre").alias("other"))
    return own.union(others).distinct()
