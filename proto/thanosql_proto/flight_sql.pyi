"""Stub of flight_sql.proto; written by proto/compile.py, do not edit."""

from collections.abc import Iterable, Mapping
from collections.abc import MutableMapping, MutableSequence
from enum import IntEnum
from typing import ClassVar

from thanosql_proto.message import Message

class CommandStatementQuery(Message):
    query: str
    transaction_id: bytes
    def __init__(self, *, query: str | None = ..., transaction_id: bytes | None = ...) -> None: ...

class CommandStatementUpdate(Message):
    query: str
    transaction_id: bytes
    def __init__(self, *, query: str | None = ..., transaction_id: bytes | None = ...) -> None: ...

class TicketStatementQuery(Message):
    statement_handle: bytes
    def __init__(self, *, statement_handle: bytes | None = ...) -> None: ...

class SubstraitPlan(Message):
    plan: bytes
    version: str
    def __init__(self, *, plan: bytes | None = ..., version: str | None = ...) -> None: ...

class CommandStatementSubstraitPlan(Message):
    @property
    def plan(self) -> SubstraitPlan: ...
    transaction_id: bytes
    def __init__(self, *, plan: SubstraitPlan | None = ..., transaction_id: bytes | None = ...) -> None: ...

class CommandStatementIngest(Message):
    class TableDefinitionOptions(Message):
        TABLE_NOT_EXIST_OPTION_UNSPECIFIED: ClassVar[int]
        TABLE_NOT_EXIST_OPTION_CREATE: ClassVar[int]
        TABLE_NOT_EXIST_OPTION_FAIL: ClassVar[int]
        TABLE_EXISTS_OPTION_UNSPECIFIED: ClassVar[int]
        TABLE_EXISTS_OPTION_FAIL: ClassVar[int]
        TABLE_EXISTS_OPTION_APPEND: ClassVar[int]
        TABLE_EXISTS_OPTION_REPLACE: ClassVar[int]
        if_not_exist: int
        if_exists: int
        def __init__(self, *, if_not_exist: int | None = ..., if_exists: int | None = ...) -> None: ...
    
    @property
    def table_definition_options(self) -> TableDefinitionOptions: ...
    table: str
    schema: str
    catalog: str
    temporary: bool
    transaction_id: bytes
    @property
    def options(self) -> MutableMapping[str, str]: ...
    def __init__(self, *, table_definition_options: TableDefinitionOptions | None = ..., table: str | None = ..., schema: str | None = ..., catalog: str | None = ..., temporary: bool | None = ..., transaction_id: bytes | None = ..., options: Mapping[str, str] | None = ...) -> None: ...

class DoPutUpdateResult(Message):
    record_count: int
    def __init__(self, *, record_count: int | None = ...) -> None: ...

class ActionCreatePreparedStatementRequest(Message):
    query: str
    transaction_id: bytes
    def __init__(self, *, query: str | None = ..., transaction_id: bytes | None = ...) -> None: ...

class ActionCreatePreparedSubstraitPlanRequest(Message):
    @property
    def plan(self) -> SubstraitPlan: ...
    transaction_id: bytes
    def __init__(self, *, plan: SubstraitPlan | None = ..., transaction_id: bytes | None = ...) -> None: ...

class ActionCreatePreparedStatementResult(Message):
    prepared_statement_handle: bytes
    dataset_schema: bytes
    parameter_schema: bytes
    is_update: bool
    def __init__(self, *, prepared_statement_handle: bytes | None = ..., dataset_schema: bytes | None = ..., parameter_schema: bytes | None = ..., is_update: bool | None = ...) -> None: ...

class ActionClosePreparedStatementRequest(Message):
    prepared_statement_handle: bytes
    def __init__(self, *, prepared_statement_handle: bytes | None = ...) -> None: ...

class CommandPreparedStatementQuery(Message):
    prepared_statement_handle: bytes
    def __init__(self, *, prepared_statement_handle: bytes | None = ...) -> None: ...

class CommandPreparedStatementUpdate(Message):
    prepared_statement_handle: bytes
    def __init__(self, *, prepared_statement_handle: bytes | None = ...) -> None: ...

class DoPutPreparedStatementResult(Message):
    prepared_statement_handle: bytes
    def __init__(self, *, prepared_statement_handle: bytes | None = ...) -> None: ...

class CommandGetSqlInfo(Message):
    @property
    def info(self) -> MutableSequence[int]: ...
    def __init__(self, *, info: Iterable[int] | None = ...) -> None: ...

class CommandGetXdbcTypeInfo(Message):
    data_type: int
    def __init__(self, *, data_type: int | None = ...) -> None: ...

class CommandGetCatalogs(Message):
    def __init__(self) -> None: ...

class CommandGetDbSchemas(Message):
    catalog: str
    db_schema_filter_pattern: str
    def __init__(self, *, catalog: str | None = ..., db_schema_filter_pattern: str | None = ...) -> None: ...

class CommandGetTables(Message):
    catalog: str
    db_schema_filter_pattern: str
    table_name_filter_pattern: str
    @property
    def table_types(self) -> MutableSequence[str]: ...
    include_schema: bool
    def __init__(self, *, catalog: str | None = ..., db_schema_filter_pattern: str | None = ..., table_name_filter_pattern: str | None = ..., table_types: Iterable[str] | None = ..., include_schema: bool | None = ...) -> None: ...

class CommandGetTableTypes(Message):
    def __init__(self) -> None: ...

class CommandGetPrimaryKeys(Message):
    catalog: str
    db_schema: str
    table: str
    def __init__(self, *, catalog: str | None = ..., db_schema: str | None = ..., table: str | None = ...) -> None: ...

class CommandGetExportedKeys(Message):
    catalog: str
    db_schema: str
    table: str
    def __init__(self, *, catalog: str | None = ..., db_schema: str | None = ..., table: str | None = ...) -> None: ...

class CommandGetImportedKeys(Message):
    catalog: str
    db_schema: str
    table: str
    def __init__(self, *, catalog: str | None = ..., db_schema: str | None = ..., table: str | None = ...) -> None: ...

class CommandGetCrossReference(Message):
    pk_catalog: str
    pk_db_schema: str
    pk_table: str
    fk_catalog: str
    fk_db_schema: str
    fk_table: str
    def __init__(self, *, pk_catalog: str | None = ..., pk_db_schema: str | None = ..., pk_table: str | None = ..., fk_catalog: str | None = ..., fk_db_schema: str | None = ..., fk_table: str | None = ...) -> None: ...

class ActionBeginTransactionRequest(Message):
    def __init__(self) -> None: ...

class ActionBeginTransactionResult(Message):
    transaction_id: bytes
    def __init__(self, *, transaction_id: bytes | None = ...) -> None: ...

class ActionEndTransactionRequest(Message):
    END_TRANSACTION_UNSPECIFIED: ClassVar[int]
    END_TRANSACTION_COMMIT: ClassVar[int]
    END_TRANSACTION_ROLLBACK: ClassVar[int]
    transaction_id: bytes
    action: int
    def __init__(self, *, transaction_id: bytes | None = ..., action: int | None = ...) -> None: ...

class ActionBeginSavepointRequest(Message):
    transaction_id: bytes
    name: str
    def __init__(self, *, transaction_id: bytes | None = ..., name: str | None = ...) -> None: ...

class ActionBeginSavepointResult(Message):
    savepoint_id: bytes
    def __init__(self, *, savepoint_id: bytes | None = ...) -> None: ...

class ActionEndSavepointRequest(Message):
    END_SAVEPOINT_UNSPECIFIED: ClassVar[int]
    END_SAVEPOINT_RELEASE: ClassVar[int]
    END_SAVEPOINT_ROLLBACK: ClassVar[int]
    savepoint_id: bytes
    action: int
    def __init__(self, *, savepoint_id: bytes | None = ..., action: int | None = ...) -> None: ...

class ActionCancelQueryRequest(Message):
    info: bytes
    def __init__(self, *, info: bytes | None = ...) -> None: ...

class ActionCancelQueryResult(Message):
    CANCEL_RESULT_UNSPECIFIED: ClassVar[int]
    CANCEL_RESULT_CANCELLED: ClassVar[int]
    CANCEL_RESULT_CANCELLING: ClassVar[int]
    CANCEL_RESULT_NOT_CANCELLABLE: ClassVar[int]
    result: int
    def __init__(self, *, result: int | None = ...) -> None: ...
