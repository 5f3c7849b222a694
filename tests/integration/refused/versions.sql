-- Versions that cannot be read, restored or removed.

-- ProgrammingError 42P01 1,15
-- there is no table 'tset'; did you mean 'test'?
SELECT * FROM tset VERSION AS OF 1

-- DataError 22023 1,34
-- table 'test' has no version 99
SELECT * FROM test VERSION AS OF 99

-- DataError 22023 1,36
-- table 'test' has no version of 2020-01-01 00:00:00 UTC
SELECT * FROM test TIMESTAMP AS OF '2020-01-01'

-- DataError 22023 1,36
-- 'soon' is not a time; write it as '2026-11-21 18:30:00', in UTC
SELECT * FROM test TIMESTAMP AS OF 'soon'

-- ProgrammingError 42601 1,34
-- a version is a whole number; SHOW VERSIONS lists them
SELECT * FROM test VERSION AS OF 'x'

-- ProgrammingError 42704 1,15
-- tables cannot be written in schema 'thanosql'; they live in 'public'
SELECT * FROM thanosql.models VERSION AS OF 1

-- ProgrammingError 42P01 1,15
-- there is no table 'tset'; did you mean 'test'?
SHOW VERSIONS tset

-- ProgrammingError 42601 1,14
-- expected a table name, found end of statement
SHOW VERSIONS

-- ProgrammingError 42P01 1,15
-- there is no table 'tset'; did you mean 'test'?
RESTORE TABLE tset TO VERSION 1

-- DataError 22023 1,31
-- table 'test' has no version 99
RESTORE TABLE test TO VERSION 99

-- ProgrammingError 42601 1,23
-- expected VERSION or TIMESTAMP, found '1'
RESTORE TABLE test TO 1

-- ProgrammingError 42P01 1,8
-- there is no table 'tset'; did you mean 'test'?
VACUUM tset

-- ProgrammingError 42601 1,20
-- RETAIN takes a number of hours from 0 to 1,000,000
VACUUM test RETAIN 'x' HOURS

-- ProgrammingError 42601 1,22
-- expected HOURS after the number, found 'DAYS'
VACUUM test RETAIN 1 DAYS

-- ProgrammingError 42P01 1,16
-- there is no table 'tset'; did you mean 'test'?
OPTIMIZE TABLE tset

-- ProgrammingError 42601 1,15
-- expected the end of the statement, found 'NOW'
OPTIMIZE test NOW
