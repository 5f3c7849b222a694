-- Rows that run into a key.

-- ProgrammingError 42P10 1,45
-- (n) is neither the primary key of table 'keyed' nor a UNIQUE constraint; there is (id), (name)
INSERT INTO keyed VALUES (1, 1) ON CONFLICT (n) DO NOTHING

-- ProgrammingError 42P10 1,47
-- (id, name) is neither the primary key
INSERT INTO keyed (id) VALUES (1) ON CONFLICT (id, name) DO UPDATE SET n = 1

-- ProgrammingError 42P10 1,49
-- table 'test' nor a UNIQUE constraint; none is declared
INSERT INTO test (label) VALUES (1) ON CONFLICT (label) DO NOTHING

-- ProgrammingError 42703 1,49
-- table 'keyed' has no column 'idd'; did you mean 'id'?
INSERT INTO keyed (id) VALUES (1) ON CONFLICT ( idd) DO NOTHING

-- ProgrammingError 42704 1,61
-- table 'keyed' has no key 'keyed_pky'; did you mean 'keyed_pkey'?
INSERT INTO keyed (id) VALUES (1) ON CONFLICT ON CONSTRAINT keyed_pky DO NOTHING

-- ProgrammingError 42601 1,47
-- ON CONFLICT DO UPDATE needs the columns of a key
INSERT INTO keyed (id) VALUES (1) ON CONFLICT DO UPDATE SET n = 1

-- ProgrammingError 42601 1,55
-- expected NOTHING or UPDATE after DO, found 'REPLACE'
INSERT INTO keyed (id) VALUES (1) ON CONFLICT (id) DO REPLACE

-- NotSupportedError 0A000 1,52
-- ON CONFLICT (...) WHERE is not supported yet
INSERT INTO keyed (id) VALUES (1) ON CONFLICT (id) WHERE n > 1 DO NOTHING

-- NotSupportedError 0A000 1,64
-- INSERT ... RETURNING is not supported yet
INSERT INTO keyed (id) VALUES (1) ON CONFLICT (id) DO NOTHING  RETURNING n

-- ProgrammingError 42703 1,66
-- table 'keyed' has no column 'm'
INSERT INTO keyed (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET m = 1

-- ProgrammingError 42000 1,73
-- column 'n' is set twice
INSERT INTO keyed (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET n = 1, N = 2

-- ProgrammingError 42000 1,70
-- 'n' is in the table and in the row to be inserted; write keyed.n or EXCLUDED.n
INSERT INTO keyed (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET n = n + 1

-- ProgrammingError 42703 1,79
-- there is no column 'm'
INSERT INTO keyed (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.m

-- ProgrammingError 42000 1,13
-- 'excluded' is the row to be inserted
INSERT INTO keyed AS excluded (id) VALUES (1) ON CONFLICT (id) DO NOTHING

-- ProgrammingError 21000
-- two of the rows have the same key (id) = (1), and ON CONFLICT DO UPDATE cannot change a row twice
INSERT INTO keyed (id) VALUES (1), (2), (1) ON CONFLICT (id) DO UPDATE SET n = 5

-- ProgrammingError 21000
-- two of the rows have the same key (name) = ('b')
INSERT INTO keyed VALUES (5, 1, 'b'), (6, 1, 'b') ON CONFLICT (name) DO UPDATE SET n = 5

-- IntegrityError 23502
-- column 'id' is NOT NULL, and a row has no value for it
INSERT INTO keyed (n) VALUES (1) ON CONFLICT (id) DO UPDATE SET n = 5

-- IntegrityError 23502
-- column 'id' is NOT NULL
INSERT INTO keyed (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = NULL

-- DataError 22000
-- Cannot cast string 'many' to value of Int32 type
INSERT INTO keyed (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET n = 'many'

-- ProgrammingError 42000 1,13
-- 'eights' is a view and cannot be changed
INSERT INTO eights (label) VALUES (1) ON CONFLICT DO NOTHING
