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

from datafusion import (
    DataFrame,
    LogicalPlan,
    RuntimeEnvBuilder,
    SessionConfig,
    SessionContext,
    SQLOptions,
)

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
    # join is not shuffled: TPC-H in 8.5 s of processor time instead of 10.4.
    "datafusion.optimizer.hash_join_single_partition_threshold": str(64 << 20),
    "datafusion.optimizer.hash_join_single_partition_threshold_rows": "2000000",
}

READ_ONLY = (
    SQLOptions()
    .with_allow_ddl(False)
    .with_allow_dml(False)
    .with_allow_statements(False)
)
PLAN_DML = READ_ONLY.with_allow_dml(True)
"""Allows INSERT to be planned; the engine carries it out itself (see actions.py)."""

__all__ = ["CATALOG", "PLAN_DML", "READ_ONLY", "SCHEMA", "Contexts", "DataFrame"]


class Contexts:
    """Makes contexts that share one spilling memory pool."""

    def __init__(self, config: Config, spill_folder: Path) -> None:
        self._threads = config.threads
        # Each context makes a folder in the spill folder and removes it with itself; a
        # killed server's are removed with its scratch folder. The fair pool lets sorts
        # and aggregations spill where the greedy pool, which serves first come first,
        # makes them fail.
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
        hash_joins: bool = True,
    ) -> SessionContext:
        """Return a context (0.2 ms, 41 KiB) over `catalog`."""
        settings = (
            SessionConfig(
                SETTINGS
                | {"datafusion.optimizer.prefer_hash_join": str(hash_joins).lower()}
            )
            .with_information_schema(True)
            .with_create_default_catalog_and_schema(False)
            .with_default_catalog_and_schema(CATALOG, SCHEMA)
            .with_target_partitions(partitions or self._threads)
        )
        try:
            context = SessionContext(settings, self._runtime)
        except Exception:  # DataFusion has one type for all
            logger.warning("nothing can be written to spill into", exc_info=True)
            context = SessionContext(settings, self._without_disk)
        context.register_catalog_provider(CATALOG, catalog)
        return context


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
