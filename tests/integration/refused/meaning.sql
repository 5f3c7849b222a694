-- SQL that has no meaning, and values that cannot be computed.

-- ProgrammingError 42000
-- column in SELECT must be in GROUP BY or an aggregate function
SELECT label, count(*) FROM test

-- DataError 22000
-- divide by zero
SELECT 1 / 0

-- DataError 22000
-- cast error: Cannot cast string '1000.jpg' to value of Int32 type
SELECT CAST(filename AS INT) FROM test

-- DataError 22000
-- invalid Unicode scalar value: -1
SELECT chr(-1)

-- DataError 22000
-- regex parse error
SELECT regexp_replace(filename, '(', '') FROM test

-- DataError 22000
-- scalar subquery returned more than one row
SELECT (SELECT label FROM test)

-- DataError 22000
-- divide by zero
CREATE TABLE t AS SELECT label / (label - label) AS a FROM test

-- DataError 22000
-- column 'a' has the type month_day_nano_interval, which a table cannot hold
CREATE TABLE t AS SELECT INTERVAL '1' DAY AS a

-- ProgrammingError 42P07 1,14
-- table 'test' already exists
CREATE TABLE test AS SELECT 1 AS a

-- DataError 22000
-- Cannot cast string
INSERT INTO test (label) SELECT image_path FROM test

-- ProgrammingError 42000
-- got 1 values in row 0 but expected 4
INSERT INTO test VALUES (1)

-- DataError 22000
-- training needs at least two readable pictures, found 1 of 1
BUILD MODEL n USING SimCLR AS SELECT * FROM train LIMIT 1

-- DataError 22000
-- training needs at least two readable pictures, found 0 of 60
BUILD MODEL n USING SimCLR AS SELECT 'gone.jpg' AS image_path FROM train

-- DataError 22000
-- picture 'missing.jpg' cannot be read (no such file)
CONVERT USING m OPTIONS (table_name='mixed', on_error='fail') AS SELECT * FROM mixed

-- DataError 22000
-- picture 'text.jpg' cannot be read (not a picture)
CREATE TABLE t AS SELECT * FROM (CONVERT USING m OPTIONS (on_error='fail') AS SELECT * FROM mixed WHERE n = 2)
