-- Views that cannot be, and what cannot be done with views.

-- ProgrammingError 42P07 1,13
-- there is a table 'test'; choose another name for the view
CREATE VIEW test AS SELECT 1 AS a

-- ProgrammingError 42P07 1,24
-- there is a table 'test'; choose another name for the view
CREATE OR REPLACE VIEW test AS SELECT 1 AS a

-- ProgrammingError 42P07 1,13
-- view 'eights' already exists; choose another name, or write CREATE OR REPLACE VIEW
CREATE VIEW eights AS SELECT 1 AS a

-- ProgrammingError 42P07
-- there is a view 'eights'; choose another name for the table
CREATE TABLE eights AS SELECT 1 AS a

-- ProgrammingError 42P07
-- there is a view 'eights'; choose another name for the table
COPY eights FROM 'fine.csv'

-- ProgrammingError 42P07 1,28
-- there is a view 'eights'; choose another name for the table
ALTER TABLE test RENAME TO eights

-- ProgrammingError 42P01 1,32
-- there is no table 'tset'; did you mean 'test'?
CREATE VIEW v AS SELECT * FROM tset

-- ProgrammingError 42703 1,25
-- there is no column 'lable'; did you mean 'label'?
CREATE VIEW v AS SELECT lable FROM test

-- ProgrammingError 42000
-- views read each other in a circle: eights -> eights
CREATE OR REPLACE VIEW eights AS SELECT * FROM eights

-- ProgrammingError 42000
-- view 'named' cannot be used: views read each other in a circle: eights -> named -> eights
CREATE OR REPLACE VIEW eights AS SELECT * FROM named

-- ProgrammingError 42000 1,13
-- the query has 2 columns, and 1 names are given
CREATE VIEW v (a) AS SELECT 1 AS b, 2 AS c

-- ProgrammingError 42000 1,42
-- a view cannot hold parameters; write the values
CREATE VIEW v AS SELECT 1 AS a WHERE 1 = $1

-- NotSupportedError 0A000 1,18
-- PRINT stands at the beginning of a statement, not inside a query
CREATE VIEW v AS PRINT IMAGE AS SELECT * FROM test

-- ProgrammingError 42000 1,18
-- a view cannot hold table_name; it is read, and stores nothing
CREATE VIEW v AS CONVERT USING m OPTIONS (table_name='x') AS SELECT * FROM test

-- ProgrammingError 42000 1,13
-- 'eights' is a view and cannot be changed; change the tables it reads
INSERT INTO eights SELECT * FROM test

-- ProgrammingError 42000 1,8
-- 'eights' is a view and cannot be changed; change the tables it reads
UPDATE eights SET label = 1

-- ProgrammingError 42000 1,13
-- 'eights' is a view and cannot be changed; change the tables it reads
DELETE FROM eights

-- ProgrammingError 42000 1,10
-- 'eights' is a view and cannot be changed; change the tables it reads
TRUNCATE eights

-- ProgrammingError 42000 1,13
-- 'eights' is a view and cannot be changed; change the tables it reads
ALTER TABLE eights DROP label

-- ProgrammingError 42000 1,12
-- 'eights' is a view; DROP VIEW removes it
DROP TABLE eights

-- ProgrammingError 42000 1,11
-- 'test' is a table; DROP TABLE removes it
DROP VIEW test

-- ProgrammingError 42P01 1,19
-- there is no view 'eihgts'
DROP VIEW eights, eihgts

-- ProgrammingError 42P01
-- view 'broken' cannot be used: there is no table 'gone'
SELECT * FROM broken
