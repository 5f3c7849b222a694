-- Columns that cannot be changed.

-- ProgrammingError 42P01 1,13
-- there is no table 'tset'; did you mean 'test'?
ALTER TABLE tset DROP label

-- ProgrammingError 42P07 1,22
-- table 'test' has a column 'label' already
ALTER TABLE test ADD label INT

-- ProgrammingError 42704 1,24
-- there is no column type 'INTT'; did you mean 'INT'?
ALTER TABLE test ADD a INTT

-- ProgrammingError 42000 1,22
-- column 'a' is NOT NULL and the table has rows; give it a DEFAULT
ALTER TABLE test ADD a INT NOT NULL

-- IntegrityError 23502
-- column 'a' is NOT NULL, and a row has no value for it
ALTER TABLE test ADD a INT NOT NULL DEFAULT NULL

-- DataError 22000 1,36
-- cast error: Cannot cast string 'x' to value of Int32 type
ALTER TABLE test ADD a INT DEFAULT 'x'

-- DataError 22000 1,22
-- a table cannot have a column named '_rowid'
ALTER TABLE test ADD _rowid INT

-- ProgrammingError 42703 1,23
-- table 'test' has no column 'lable'; did you mean 'label'?
ALTER TABLE test DROP lable

-- ProgrammingError 42703 1,25
-- table 'test' has no column 'lable'; did you mean 'label'?
ALTER TABLE test RENAME lable TO a

-- ProgrammingError 42P07 1,34
-- table 'test' has a column 'filename' already
ALTER TABLE test RENAME label TO filename

-- DataError 22000 1,34
-- a table cannot have a column named 'a.b'
ALTER TABLE test RENAME label TO "a.b"

-- ProgrammingError 42P07 1,28
-- table 'train' already exists; choose another name
ALTER TABLE test RENAME TO train

-- DataError 22000
-- Cannot cast string
ALTER TABLE test ALTER filename TYPE INT

-- NotSupportedError 0A000
-- Unsupported CAST
ALTER TABLE test ALTER m_simclr TYPE INT

-- DataError 22000 1,35
-- column 'label' has the type month_day_nano_interval, which a table cannot hold
ALTER TABLE test ALTER label TYPE INTERVAL

-- ProgrammingError 42703 1,45
-- there is no column 'nothing'; there are image_path, filename, label, m_simclr
ALTER TABLE test ALTER label TYPE INT USING nothing + 1

-- ProgrammingError 42000 1,42
-- a default is a constant or a function, not a query
ALTER TABLE test ALTER label SET DEFAULT (SELECT 1)

-- IntegrityError 23502
-- column 'label' holds NULLs; give these rows a value first, with UPDATE
ALTER TABLE nulls ALTER label SET NOT NULL

-- ProgrammingError 42601 1,33
-- expected the end of the statement: one change at a time, found ','
ALTER TABLE test DROP image_path, DROP label

-- ProgrammingError 42601 1,18
-- expected ADD, DROP, RENAME or ALTER, and a column, after ALTER TABLE test, found 'FROB'
ALTER TABLE test FROB

-- ProgrammingError 42601 1,29
-- expected TYPE, SET DEFAULT, DROP DEFAULT, SET NOT NULL or DROP NOT NULL after 'label', found end of statement
ALTER TABLE test ALTER label
