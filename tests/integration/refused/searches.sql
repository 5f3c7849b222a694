-- Searches.

-- NotSupportedError 0A000 1,14
-- model 'm' is a SimCLR and cannot search by text; give image='...'
SEARCH IMAGE text='a cat' USING m AS SELECT * FROM test

-- ProgrammingError 42703 1,67
-- the searched rows have no embedding column 'm_simclr'; CONVERT USING m makes it
SEARCH IMAGE images='tutorial_data/mnist_data/test/923.jpg' USING m AS SELECT * FROM train

-- ProgrammingError 42000 1,67
-- column 'label' holds int64, not embeddings
SEARCH IMAGE images='tutorial_data/mnist_data/test/923.jpg' USING m OPTIONS (emb_col='label') AS SELECT * FROM test

-- ProgrammingError 42601 1,14
-- the list of what to search for is empty
SEARCH IMAGE images=[] USING m AS SELECT * FROM test

-- ProgrammingError 42601 1,31
-- search_by and search_input go together; one of them is missing
SEARCH IMAGE USING m OPTIONS (search_by='image') AS SELECT * FROM test

-- NotSupportedError 0A000 1,13
-- model 'm' is a SimCLR and cannot search by text; give image='...'
SEARCH TEXT text='a cat' USING m AS SELECT * FROM test

-- NotSupportedError 0A000 1,15
-- model 'm' is a SimCLR and cannot embed texts; a CLIP can
CONVERT USING m OPTIONS (convert_type='text', text_col='filename') AS SELECT * FROM test

-- NotSupportedError 0A000 1,15
-- model 'm' is a SimCLR and cannot embed texts; a CLIP can
CONVERT USING m OPTIONS (convert_type='text', text_col='filename', table_name='test') AS SELECT * FROM test

-- DataError 22023 1,26
-- option 'convert_type' must be 'image' or 'text', not 'video'
CONVERT USING m OPTIONS (convert_type='video') AS SELECT * FROM test

-- DataError 22023 1,26
-- option 'text_col' goes with convert_type='text'; without it pictures are converted
CONVERT USING m OPTIONS (text_col='filename') AS SELECT * FROM test

-- ProgrammingError 42601 1,13
-- what to search for must be in quotes, not 3
SEARCH TEXT text=['a', 3] USING m AS SELECT * FROM test

-- ProgrammingError 42601 1,1
-- SEARCH TEXT needs what to search for: text='...' or image='...' before USING
SEARCH TEXT USING m AS SELECT * FROM test
