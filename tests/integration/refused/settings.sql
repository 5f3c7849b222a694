-- Settings, statements, and texts that are too much.

-- ProgrammingError 42704 1,5
-- there is no setting 'datafusion.execution.batch_size'; SHOW ALL lists them
SET datafusion.execution.batch_size = 1

-- ProgrammingError 42704 1,13
-- there is no setting 'statement_timeoute'; did you mean 'statement_timeout'?
SET SESSION statement_timeoute TO 5

-- ProgrammingError 42704 1,7
-- there is no setting 'hnsw.ef'; did you mean 'hnsw.ef_search'?
RESET hnsw.ef

-- ProgrammingError 42704 1,6
-- there is no setting 'client_encoding'; SHOW ALL lists them
SHOW client_encoding

-- DataError 22023 1,5
-- statement_timeout must be a text such as '500ms' or '2min', or a number of seconds of at least 0, not 'soon'
SET statement_timeout = 'soon'

-- DataError 22023 1,5
-- hnsw.ef_search must be a whole number from 1 to 100000, not 0
SET hnsw.ef_search TO 0

-- ProgrammingError 42601 1,25
-- expected a value for statement_timeout, or DEFAULT, found 'NULL'
SET statement_timeout = NULL

-- ProgrammingError 42601 1,23
-- expected '=' or TO and a value after SET statement_timeout, found '5'
SET statement_timeout 5

-- ProgrammingError 42601 1,4
-- expected the name of a setting after SET, found end of statement
SET

-- ProgrammingError 42601 1,6
-- expected the name of a setting, or ALL, after RESET, found end of statement
RESET

-- ProgrammingError 42601 1,8
-- expected STATEMENT after CANCEL, found 'x'
CANCEL x

-- ProgrammingError 42704 1,18
-- no statement 'x' runs; SHOW STATEMENTS lists those that do
CANCEL STATEMENT 'x'
