-- Rows that cannot be changed.

-- ProgrammingError 42P01 1,8
-- there is no table 'tset'; did you mean 'test'?
UPDATE tset SET label = 1

-- ProgrammingError 42P01 1,13
-- there is no table 'tset'; did you mean 'test'?
DELETE FROM tset

-- ProgrammingError 42P01 1,16
-- there is no table 'tset'; did you mean 'test'?
TRUNCATE TABLE tset

-- ProgrammingError 42703 1,28
-- table 'test' has no column 'lable'; did you mean 'label'?
UPDATE test SET label = 1, lable = 2

-- ProgrammingError 42703 1,25
-- there is no column 'nothing'; there are image_path, filename, label, m_simclr
UPDATE test SET label = nothing + 1

-- ProgrammingError 42703 1,24
-- there is no column 'lable'; did you mean 'label'?
DELETE FROM test WHERE lable = 1

-- ProgrammingError 42601 1,37
-- column 'label' is set twice
UPDATE test SET label = 1, label = 2

-- ProgrammingError 42000 1,28
-- column 'label' is set twice
UPDATE test SET label = 1, "LABEL" = 2

-- ProgrammingError 42601 1,24
-- expected a value for column 'label', found end of statement
UPDATE test SET label =

-- ProgrammingError 42601 1,20
-- expected WHERE or the end of the statement after DELETE FROM test, found 'AND'
DELETE FROM test t AND label = 1

-- ProgrammingError 42601 1,34
-- expected: ), found: UNION
DELETE FROM test WHERE label = 1 UNION SELECT 1

-- ProgrammingError 42000
-- aggregate functions are not allowed in the WHERE clause
DELETE FROM test WHERE count(*) > 1

-- DataError 22000
-- Cannot cast string 'eight' to value of Int64 type
UPDATE test SET label = 'eight' WHERE label = 8

-- DataError 22000
-- divide by zero
UPDATE test SET label = label / (label - label)

-- ProgrammingError 42704 1,8
-- tables cannot be written in schema 'thanosql'; they live in 'public'
UPDATE thanosql.models SET name = 'x'

-- ProgrammingError 42704 1,77
-- there is no model 'mm'; did you mean 'm'?
DELETE FROM test WHERE image_path IN (SELECT image_path FROM (CONVERT USING mm AS SELECT * FROM test))
