-- Indexes that cannot be made, and such that are not there.

-- ProgrammingError 42P01 1,19
-- there is no table 'tset'; did you mean 'test'?
CREATE INDEX i ON tset USING HNSW (m_simclr)

-- ProgrammingError 42000 1,19
-- 'eights' is a view and cannot have an index; its tables can
CREATE INDEX i ON eights USING HNSW (m_simclr)

-- ProgrammingError 42703 1,36
-- table 'test' has no column 'm_simcrl'; did you mean 'm_simclr'?
CREATE INDEX i ON test USING HNSW (m_simcrl)

-- ProgrammingError 42000 1,36
-- column 'label' holds int64, not vectors of a fixed length, as VECTOR(n) has them
CREATE INDEX i ON test USING HNSW (label)

-- ProgrammingError 42704 1,30
-- there is no index method 'ivfflat'; there is HNSW
CREATE INDEX i ON test USING ivfflat (m_simclr)

-- ProgrammingError 42704 1,52
-- CREATE INDEX ... USING HNSW has no option 'ef'; it has: ef_construction, m, metric
CREATE INDEX i ON test USING HNSW (m_simclr) WITH (ef=16)

-- DataError 22023 1,52
-- option 'm' must be a whole number from 2 to 100, not 1
CREATE INDEX i ON test USING HNSW (m_simclr) WITH (m=1)

-- DataError 22023 1,52
-- option 'm' must be a whole number from 2 to 100, not 'many'
CREATE INDEX i ON test USING HNSW (m_simclr) WITH (m='many')

-- DataError 22023 1,55
-- option 'ef_construction' must be a whole number from 4 to 2000, not 100000
CREATE INDEX i ON test USING HNSW (m_simclr) OPTIONS (ef_construction=100000)

-- DataError 22023 1,52
-- option 'metric' must be 'cosine', 'l2' or 'inner_product', not 'hamming'
CREATE INDEX i ON test USING HNSW (m_simclr) WITH (metric='hamming')

-- ProgrammingError 42704 1,45
-- there are no operators 'vector_cosin_ops'; did you mean 'vector_cosine_ops'?
CREATE INDEX i ON test USING HNSW (m_simclr vector_cosin_ops)

-- DataError 22023 1,68
-- option 'metric' says 'cosine' and the operators say 'l2'
CREATE INDEX i ON test USING HNSW (m_simclr vector_l2_ops) WITH (  metric='cosine')

-- ProgrammingError 42P07 1,14
-- index 'taken' already exists; choose another name, or DROP INDEX it
CREATE INDEX taken ON test USING HNSW (m_simclr)

-- ProgrammingError 42601 1,20
-- expected USING HNSW and a column after ON t, found '('
CREATE INDEX i ON t(v)

-- ProgrammingError 42601 1,37
-- expected ')': an index is of one column, found ','
CREATE INDEX i ON test USING HNSW (a, b)

-- ProgrammingError 42601 1,17
-- expected ON and a table after CREATE INDEX on, found 'test'
CREATE INDEX on test USING HNSW (m_simclr)

-- ProgrammingError 42704 1,12
-- there is no index 'takne'; did you mean 'taken'?
DROP INDEX takne

-- ProgrammingError 42704 1,19
-- there is no index 'nowhere'
DROP INDEX taken, nowhere

-- ProgrammingError 42P01 1,19
-- there is no table 'tset'; did you mean 'test'?
SHOW INDEXES FROM tset

-- ProgrammingError 42601 1,14
-- expected FROM and a table after SHOW INDEXES, found 'test'
SHOW INDEXES test

-- DataError 22023 1,53
-- option 'ef' must be a whole number from 1 to 100000, not 0
SEARCH IMAGE images='tutorial_data' USING m OPTIONS(ef=0) AS SELECT * FROM test

-- DataError 22023 1,53
-- option 'exact' must be True or False, not 'yes'
SEARCH IMAGE images='tutorial_data' USING m OPTIONS(exact='yes') AS SELECT * FROM test
