-- search_many with arguments that cannot be.

-- ProgrammingError 42P01 1,27
-- there is no table 'nowhere'
SELECT * FROM search_many('nowhere', 'm_simclr', NULL, 'test', 3)

-- ProgrammingError 42703 1,35
-- table 'test' has no column 'm_simclx'; did you mean 'm_simclr'?
SELECT * FROM search_many('test', 'm_simclx', NULL, 'test', 3)

-- ProgrammingError 42000 1,35
-- column 'label' holds int64, not vectors
SELECT * FROM search_many('test', 'label', NULL, 'test', 3)

-- ProgrammingError 42704 1,47
-- there is no model 'nobody'
SELECT * FROM search_many('test', 'm_simclr', 'nobody', 'test', 3)

-- ProgrammingError 42P01 1,53
-- there is no table 'nowhere'
SELECT * FROM search_many('test', 'm_simclr', NULL, 'nowhere', 3)

-- ProgrammingError 42601 1,59
-- expected ',' and k, found ')'
SELECT * FROM search_many('test', 'm_simclr', NULL, 'test')

-- DataError 22023 1,61
-- k of search_many is a number of rows, not -1
SELECT * FROM search_many('test', 'm_simclr', NULL, 'test', -1)

-- DataError 22023 1,61
-- k of search_many is a number of rows, not 'all'
SELECT * FROM search_many('test', 'm_simclr', NULL, 'test', 'all')

-- DataError 22023 1,27
-- search_many takes a table here, not 3
SELECT * FROM search_many(3, 'm_simclr', NULL, 'test', 5)

-- ProgrammingError 42703 1,53
-- the queries have no column 'm_simclr' of vectors, nor one of texts or paths
SELECT * FROM search_many('test', 'm_simclr', NULL, (SELECT label FROM test), 3)

-- ProgrammingError 42703 1,53
-- the queries have no column 'nope'
SELECT * FROM search_many('test', 'm_simclr', NULL, 'test', 3, vector='nope')

-- ProgrammingError 42000 1,47
-- a model is needed to search for the images in 'image_path'
SELECT * FROM search_many('test', 'm_simclr', NULL, 'test', 3, image='image_path')

-- NotSupportedError 0A000 1,47
-- model 'm' is a SimCLR and cannot embed texts; a CLIP can
SELECT * FROM search_many('test', 'm_simclr', 'm', 'test', 3, text='filename')

-- ProgrammingError 42000 1,53
-- column 'label' of the queries holds int64, not vectors
SELECT * FROM search_many('test', 'm_simclr', NULL, 'test', 3, vector='label')

-- ProgrammingError 42000 1,53
-- the vectors that are searched have
SELECT * FROM search_many('test', 'm_simclr', NULL, (SELECT arrow_cast([1.0, 2.0], 'FixedSizeList(2, Float32)') AS m_simclr), 3)

-- ProgrammingError 42000 1,53
-- two columns of the queries have the same name; give them others with AS
SELECT * FROM search_many('test', 'm_simclr', NULL, (SELECT a.m_simclr, b.m_simclr FROM test a, test b), 3)

-- ProgrammingError 42601 1,64
-- expected text=, image= or vector= and a column of the queries, found 'column'
SELECT * FROM search_many('test', 'm_simclr', NULL, 'test', 3, column='m_simclr')

-- ProgrammingError 42601 1,26
-- '(' is not closed
SELECT * FROM search_many('test', 'm_simclr', NULL, 'test', 3
