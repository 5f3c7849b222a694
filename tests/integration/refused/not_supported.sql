-- Not supported yet.

-- NotSupportedError 0A000 1,1
-- UPDATE is not supported yet
UPDATE test SET label = 1

-- NotSupportedError 0A000 1,1
-- DELETE is not supported yet
DELETE FROM test

-- NotSupportedError 0A000 1,1
-- ALTER TABLE is not supported yet
ALTER TABLE test RENAME TO other

-- NotSupportedError 0A000 1,1
-- CREATE VIEW is not supported yet
CREATE VIEW v AS SELECT 1

-- NotSupportedError 0A000 1,1
-- CREATE EXTERNAL is not supported yet
CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'

-- NotSupportedError 0A000 1,1
-- CREATE TABLE with a list of columns is not supported yet
CREATE TABLE t (a INT)

-- NotSupportedError 0A000 1,1
-- TRUNCATE is not supported yet
TRUNCATE test

-- NotSupportedError 0A000 1,1
-- SET is not supported yet
SET datafusion.execution.batch_size = 1

-- NotSupportedError 0A000 1,1
-- BEGIN is not supported yet
BEGIN

-- NotSupportedError 0A000 1,1
-- COPY TO is not supported yet
COPY test TO 'test.csv'

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
