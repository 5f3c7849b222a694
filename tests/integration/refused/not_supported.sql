-- Not supported yet.

-- NotSupportedError 0A000 1,32
-- UPDATE ... RETURNING is not supported yet
UPDATE test SET label = label  RETURNING label

-- NotSupportedError 0A000 1,18
-- DELETE ... LIMIT is not supported yet
DELETE FROM test LIMIT 1

-- NotSupportedError 0A000 1,18
-- ALTER TABLE ... ADD CONSTRAINT is not supported yet
ALTER TABLE test ADD CONSTRAINT c CHECK (label > 1)

-- NotSupportedError 0A000 1,22
-- the keys of a table cannot be changed yet; they are declared with CREATE TABLE
ALTER TABLE test ADD id INT PRIMARY KEY

-- NotSupportedError 0A000 1,1
-- CREATE MATERIALIZED is not supported yet
CREATE MATERIALIZED VIEW v AS SELECT 1

-- NotSupportedError 0A000 1,1
-- CREATE EXTERNAL is not supported yet
CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'

-- NotSupportedError 0A000 1,23
-- CHECK is not supported yet
CREATE TABLE t (a INT CHECK (a > 1))

-- NotSupportedError 0A000 1,24
-- CHECK is not supported yet
CREATE TABLE t (a INT, CHECK (a > 1))

-- NotSupportedError 0A000 1,1
-- BEGIN is not supported yet
BEGIN

-- NotSupportedError 0A000 1,1
-- SEARCH AUDIO is not supported yet
SEARCH AUDIO audio='x' USING m AS SELECT * FROM test

-- NotSupportedError 0A000 1,1
-- SEARCH VIDEO is not supported yet
SEARCH VIDEO text='a' USING m AS SELECT * FROM test

-- NotSupportedError 0A000 1,1
-- FIT MODEL is not supported yet
FIT MODEL m USING n AS SELECT 1

-- NotSupportedError 0A000 1,1
-- PREDICT is not supported yet
PREDICT USING m AS SELECT * FROM test

-- NotSupportedError 0A000 1,1
-- EXPLAIN BUILD is not supported yet
EXPLAIN BUILD MODEL n USING SimCLR AS SELECT 1

-- NotSupportedError 0A000 1,16
-- PRINT stands at the beginning of a statement, not inside a query
SELECT * FROM (PRINT IMAGE AS SELECT * FROM test)
