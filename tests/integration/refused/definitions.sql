-- Tables and columns that cannot be defined.

-- ProgrammingError 42704 1,19
-- there is no column type 'JSON'; there are TINYINT, SMALLINT, INT, INTEGER, BIGINT, REAL, DOUBLE, DECIMAL(p, s), BOOLEAN, TEXT, VARCHAR(n), CHAR(n), BYTEA, DATE, TIME, TIMESTAMP, TIMESTAMPTZ, VECTOR(n), STRUCT<name type, ...>, type[], type[n], IMAGE, AUDIO, VIDEO
CREATE TABLE t (a JSON)

-- ProgrammingError 42704 1,19
-- there is no column type 'INTT'; did you mean 'INT'?
CREATE TABLE t (a INTT)

-- ProgrammingError 42704 1,19
-- there is no column type 'VECTOR(0)'; did you mean 'VECTOR'?
CREATE TABLE t (a VECTOR(0))

-- ProgrammingError 42601 1,19
-- expected a type for column 'a', found '"INT) , (SELECT 1"'
CREATE TABLE t (a "INT) , (SELECT 1")

-- ProgrammingError 42601 1,18
-- expected a type for column 'a', found ')'
CREATE TABLE t (a)

-- ProgrammingError 42601 1,17
-- expected a column, found ')'
CREATE TABLE t ()

-- ProgrammingError 42601 1,22
-- expected ',' or ')' in the list of columns, found end of statement
CREATE TABLE t (a INT

-- ProgrammingError 42601 1,24
-- column 'a' is named twice
CREATE TABLE t (a INT, a TEXT)

-- ProgrammingError 42601 1,49
-- a table has one PRIMARY KEY
CREATE TABLE t (a INT PRIMARY KEY, PRIMARY KEY (a))

-- ProgrammingError 42703 1,37
-- there is no column 'b' for the key
CREATE TABLE t (a INT, PRIMARY KEY (b))

-- DataError 22000 1,17
-- column 'a' has the type month_day_nano_interval, which a table cannot hold; convert it with CAST
CREATE TABLE t (a INTERVAL)

-- DataError 22000 1,17
-- a table cannot have a column named '_rowid'
CREATE TABLE t (_rowid INT)

-- DataError 22000 1,31
-- cast error: Cannot cast string 'x' to value of Int32 type
CREATE TABLE t (a INT DEFAULT 'x')

-- ProgrammingError 42000 1,31
-- a default is a constant or a function, not a query
CREATE TABLE t (a INT DEFAULT (SELECT 1))

-- ProgrammingError 42703 1,31
-- there is no column 'b'
CREATE TABLE t (a INT DEFAULT b + 1)

-- ProgrammingError 42601 1,31
-- a default is computed later and cannot hold parameters or clauses
CREATE TABLE t (a INT DEFAULT ?)

-- ProgrammingError 42P07 1,14
-- table 'test' already exists; choose another name, or write CREATE OR REPLACE TABLE
CREATE TABLE test (a INT)

-- ProgrammingError 42704 1,14
-- there is no schema 's'
CREATE TABLE s.t (a INT)

-- ProgrammingError 42P01 1,18
-- there is no table 'tset'; did you mean 'test'?
COMMENT ON TABLE tset IS 'x'

-- ProgrammingError 42703 1,19
-- table 'test' has no column 'lable'; did you mean 'label'?
COMMENT ON COLUMN test.lable IS 'x'

-- ProgrammingError 42601 1,26
-- expected a text in quotes, found '5'
COMMENT ON TABLE test IS 5

-- ProgrammingError 42704 1,13
-- there is no schema 's'
DROP SCHEMA s

-- ProgrammingError 42000 1,13
-- schema 'public' cannot be dropped; drop its tables
DROP SCHEMA public CASCADE

-- ProgrammingError 42P07 1,15
-- schema 'public' already exists
CREATE SCHEMA public

-- ProgrammingError 42000 1,15
-- schema 'thanosql' is the server's own and cannot be made
CREATE SCHEMA thanosql

-- ProgrammingError 42704 1,15
-- there is no catalog 'other'; the only one is 'thanosql'
CREATE SCHEMA other.s

-- ProgrammingError 42703 1,32
-- there is no column 'b' for the constraint
CREATE TABLE t (a INT, UNIQUE (b))

-- ProgrammingError 42P07 1,75
-- there are two constraints 'k'
CREATE TABLE t (a INT, CONSTRAINT k UNIQUE (a), CONSTRAINT k FOREIGN KEY (a) REFERENCES u (b))

-- ProgrammingError 42601 1,37
-- 2 columns cannot refer to 1
CREATE TABLE t (a INT, FOREIGN KEY (a, a2) REFERENCES u (b))

-- ProgrammingError 42000 1,34
-- name the columns of 'u' that the foreign key refers to
CREATE TABLE t (a INT REFERENCES u)
