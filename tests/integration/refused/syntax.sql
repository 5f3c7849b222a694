-- Text that is no statement, or several.

-- ProgrammingError 42601 1,11
-- expected one statement, found 'SELECT'
SELECT 1; SELECT 2

-- ProgrammingError 42601 1,11
-- expected one statement, found 'DROP'
SELECT 1; DROP TABLE test

-- ProgrammingError 42601 1,1
-- expected a statement, found end of statement
-- nothing but a comment

-- ProgrammingError 42601 1,1
-- expected a statement, found 'SELEC'; did you mean 'SELECT'?
SELEC 1

-- ProgrammingError 42601 1,8
-- '(' is not closed
SELECT (1

-- ProgrammingError 42601 1,17
-- expected AS and a query after CONVERT USING m, found 'SELECT'
CONVERT USING m SELECT * FROM test

-- ProgrammingError 42601 1,47
-- expected AS and a query after USING m, found ')'
SELECT * FROM (SEARCH IMAGE images='x' USING m)
