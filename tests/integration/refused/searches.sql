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
