-- Options.

-- ProgrammingError 42704 1,26
-- CONVERT has no option 'image_cool'; did you mean 'image_col'?
CONVERT USING m OPTIONS (image_cool='x') AS SELECT * FROM test

-- ProgrammingError 42704 3,3
-- SimCLR has no option 'max_epoch'; did you mean 'max_epochs'?
BUILD MODEL n USING SimCLR
OPTIONS (
  max_epoch=1)
AS SELECT * FROM train

-- DataError 22023 1,37
-- option 'max_epochs' must be a whole number of at least 1, not 'many'
BUILD MODEL n USING SimCLR OPTIONS (max_epochs='many') AS SELECT * FROM train

-- DataError 22023 1,37
-- option 'backbone' must be one of resnet8, resnet10, resnet18, not 'vgg'
BUILD MODEL n USING SimCLR OPTIONS (backbone='vgg') AS SELECT * FROM train

-- ProgrammingError 42601 1,45
-- option 'seed' is given twice
BUILD MODEL n USING SimCLR OPTIONS (seed=1, seed=2) AS SELECT * FROM train

-- DataError 22023 1,17
-- option 'overwrite' must be True or False, not 'yes'
COPY t OPTIONS (overwrite='yes') FROM 'fine.csv'

-- DataError 22023
-- there is no text encoding named 'klingon'; try utf-8, utf-16, cp949 or latin-1
COPY t OPTIONS (encoding='klingon') FROM 'latin.csv'

-- DataError 22023 1,26
-- option 'batch_size' must be a whole number from 1 to 8192, not 0
CONVERT USING m OPTIONS (batch_size=0) AS SELECT * FROM test

-- DataError 22023 1,26
-- option 'on_error' must be 'null' or 'fail', not 'explode'
CONVERT USING m OPTIONS (on_error='explode') AS SELECT * FROM test

-- DataError 22000
-- a table cannot have a column named '_thanosql_x'; names that begin with '_thanosql_' are the server's own
CONVERT USING m OPTIONS (table_name='test', result_col='_thanosql_x') AS SELECT * FROM test

-- DataError 22000
-- a table cannot have a column named '_thanosql_x'; names that begin with '_thanosql_' are the server's own
CREATE TABLE hidden AS SELECT 1 AS _thanosql_x

-- DataError 22023 1,26
-- option 'refresh' must be True or False, not 'maybe'
CONVERT USING m OPTIONS (refresh='maybe') AS SELECT * FROM test

-- DataError 22000
-- a table cannot have a column named 'a.b'; choose a name that is not empty, has no '.' or '`' and is none of _rowaddr, _rowid, _rowoffset
CONVERT USING m OPTIONS (table_name='test', result_col='a.b') AS SELECT * FROM test

-- DataError 22023 1,26
-- option 'device' must be 'auto', 'cpu', 'cuda' or 'cuda:N', not 'gpu'
CONVERT USING m OPTIONS (device='gpu') AS SELECT * FROM test

-- DataError 22023 1,40
-- option 'precision' must be one of auto, fp32, fp16, bf16, int8, not 'fp8'
CONVERT USING m OPTIONS (device='cpu', precision='fp8') AS SELECT * FROM test

-- DataError 22023 1,41
-- option 'precision' must be 'fp16', 'bf16' or 'fp32' on a GPU, not 'int8'
CONVERT USING m OPTIONS (device='cuda', precision='int8') AS SELECT * FROM test

-- DataError 22023 1,26
-- device 'cuda:999'
CONVERT USING m OPTIONS (device='cuda:999') AS SELECT * FROM test

-- DataError 22023 1,37
-- device 'cuda:999'
BUILD MODEL n USING SimCLR OPTIONS (device='cuda:999') AS SELECT * FROM train

-- DataError 22023 1,35
-- option 'precision' must be a text in quotes, not 16
CREATE TABLE new USING m OPTIONS (precision=16) FROM 'tutorial_data/mnist_data/test'

-- NotSupportedError 0A000 1,26
-- int8 does not make SimCLR faster, its network consists of convolutions; choose precision='fp32'
CONVERT USING m OPTIONS (precision='int8', table_name='test') AS SELECT * FROM test

-- ProgrammingError 42704 1,77
-- SEARCH IMAGE has no option 'device'
SEARCH IMAGE image='tutorial_data/mnist_data/test/923.jpg' USING m OPTIONS (device='cpu') AS SELECT * FROM test
