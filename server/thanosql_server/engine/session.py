"""DataFusion contexts: one per statement, all on one memory pool."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

# A Python function occupies a worker of DataFusion's runtime while it runs. With one
# worker per core, one slow function delays every other query (2 ms -> 2,500 ms), so
# there are many workers; the work itself is still split by `target_partitions`. The
# runtime reads this variable once, when it starts.
os.environ.setdefault("TOKIO_WORKER_THREADS", "48")
# DataFusion's allocator hands memory back 10 ms after it was freed, and the next batch
# faults it in again, zeroed: TPC-H's q18 spent 1 to 3 of its 4 seconds of processor
# time in that. A second is what later versions of the allocator (mimalloc 3) wait.
os.environ.setdefault("MIMALLOC_PURGE_DELAY", "1000")

from datafusion import (
    DataFrame,
    LogicalPlan,
    RuntimeEnvBuilder,
    SessionConfig,
    SessionContext,
    SQLOptions,
)

from thanosql_server.engine.shared_memory import SharedMemory
from thanosql_server.engine.temp_space import TempSpace

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from datafusion.catalog import CatalogProvider

    from thanosql_server.config import Config

logger = logging.getLogger(__name__)

CATALOG = "thanosql"
SCHEMA = "public"

SETTINGS = {
    # A row without an embedding would win every ORDER BY similarity DESC otherwise.
    "datafusion.sql_parser.default_null_ordering": "nulls_last",
    # Older Flight SQL clients do not know string views.
    "datafusion.sql_parser.map_string_types_to_utf8view": "false",
    "datafusion.execution.parquet.schema_force_view_types": "false",
    # One hash table for all partitions up to this size, so that the other side of a
    # join is not shuffled: TPC-H in 7.8 s of processor time instead of 8.9 with 128k
    # rows, and 8.2 with 2 million, of which one thread then makes the table.
    "datafusion.optimizer.hash_join_single_partition_threshold": str(64 << 20),
    "datafusion.optimizer.hash_join_single_partition_threshold_rows": "500000",
}

FRUGAL = {
    # A hash join holds one side in memory and cannot spill; a sort-merge join can.
    "datafusion.optimizer.prefer_hash_join": "false",
    # To merge what it has spilled, a sort needs a batch of each file.
    "datafusion.execution.batch_size": "1024",
}
"""For another try of a query that ran out of memory.

It works in two parts: with one, DataFusion joins by hashing whatever it was told. A
quarter of all memory is set aside for merging what a sort spills: 3 million rows of
340 MB are sorted in 32 MB then, and failed in 64 MB with the usual 10 MB.
"""

READ_ONLY = (
    SQLOptions()
    .with_allow_ddl(False)
    .with_allow_dml(False)
    .with_allow_statements(False)
)
PLAN_DML = READ_ONLY.with_allow_dml(True)
"""Allows INSERT to be planned; the engine carries it out itself (see actions.py)."""

_SORT_RESERVATION = "datafusion.execution.sort_spill_reservation_bytes"

__all__ = ["CATALOG", "PLAN_DML", "READ_ONLY", "SCHEMA", "Contexts", "DataFrame"]


class Contexts:
    """Makes contexts that share one spilling memory pool."""

    def __init__(self, config: Config, spill_folder: Path) -> None:
        self._threads = config.threads
        # Each context makes a folder in the spill folder and removes it with itself; a
        # killed server's are removed with its scratch folder. The fair pool lets sorts
        # and aggregations spill where the greedy pool, which serves first come first,
        # makes them fail.
        merging = {_SORT_RESERVATION: str(config.memory_limit // 4)}
        self._frugal = FRUGAL | merging
        self.shared = SharedMemory()
        self.temp_space = TempSpace(spill_folder, config.limits.max_temp_bytes)
        self._runtime = (
            RuntimeEnvBuilder()
            .with_fair_spill_pool(config.memory_limit)
            .with_disk_manager_specified(str(spill_folder))
        )
        # For a disk that is full or may not be written: what fits in memory goes on.
        self._without_disk = (
            RuntimeEnvBuilder()
            .with_fair_spill_pool(config.memory_limit)
            .with_disk_manager_disabled()
        )

    def new(
        self,
        catalog: CatalogProvider,
        *,
        partitions: int | None = None,
        frugal: bool = False,
    ) -> SessionContext:
        """Return a context (0.2 ms, 41 KiB) over `catalog`.

        Args:
            catalog: the tables.
            partitions: in how many parts queries work; by default as many as threads.
            frugal: whether queries are to get by with little memory, and take longer.
        """
        if frugal:
            partitions = 2
        settings = (
            SessionConfig(SETTINGS | (self._frugal if frugal else {}))
            .with_information_schema(True)
            .with_create_default_catalog_and_schema(False)
            .with_default_catalog_and_schema(CATALOG, SCHEMA)
            .with_target_partitions(partitions or self._threads)
        )
        context = self.temp_space.noticed(catalog, lambda: self._made(settings))
        context.register_catalog_provider(CATALOG, catalog)
        return context

    def _made(self, settings: SessionConfig) -> SessionContext:
        try:
            return SessionContext(settings, self._runtime)
        except Exception:  # DataFusion has one type for all
            logger.warning("nothing can be written to spill into", exc_info=True)
            return SessionContext(settings, self._without_disk)


def sql(
    context: SessionContext,
    text: str,
    parameters: dict[str, pa.Scalar] | None = None,
    options: SQLOptions = READ_ONLY,
) -> DataFrame:
    """Plan `text`; nothing runs, and DDL and settings are refused."""
    values: dict[str, Any] | None = parameters or None
    return context.sql_with_options(text, options, param_values=values)


def adopt(context: SessionContext, plan: LogicalPlan) -> DataFrame:
    """Return a plan made in another context as a data frame of this one."""
    return context.create_dataframe_from_logical_plan(plan)
