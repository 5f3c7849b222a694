-- Names that are not there.

-- ProgrammingError 42703 2,3
-- there is no column 'lable'; did you mean 'label'?
SELECT
  lable
FROM test

-- ProgrammingError 42703 1,8
-- there is no column 'nothing'; there are image_path, filename, label
SELECT nothing FROM train

-- ProgrammingError 42P01 1,15
-- there is no table 'tset'; did you mean 'test'?
SELECT * FROM tset

-- ProgrammingError 42P01 1,15
-- there is no table 'customers'; LIST TABLE shows the tables there are
SELECT * FROM customers

-- ProgrammingError 42P01 1,15
-- there is no table 'a"; DROP TABLE t'
SELECT * FROM "a""; DROP TABLE t"

-- ProgrammingError 42704 1,8
-- there is no function 'magic'
SELECT magic(1)

-- ProgrammingError 42P01 1,13
-- there is no table 'customers'
INSERT INTO customers VALUES (1)

-- ProgrammingError 42703 1,19
-- there is no column 'size'
INSERT INTO test (size) VALUES (1)

-- ProgrammingError 42P01 1,18
-- there is no table 'customers'
DROP TABLE test, customers

-- ProgrammingError 42704 1,14
-- there is no model 'nobody'; LIST MODEL shows the models there are
DELETE MODEL nobody

-- ProgrammingError 42704 1,15
-- there is no model 'mm'; did you mean 'm'?
CONVERT USING mm AS SELECT * FROM test

-- ProgrammingError 42704 1,21
-- there is no model family 'SimCRL', known are: SimCLR, CLIP; did you mean 'SimCLR'?
BUILD MODEL n USING SimCRL AS SELECT * FROM train

-- ProgrammingError 42P07
-- model 'm' already exists; choose another name, or replace it with overwrite=True
BUILD MODEL m USING SimCLR AS SELECT * FROM train

-- ProgrammingError 42703 1,26
-- there is no column 'picture'; there are image_path, filename, label
CONVERT USING m OPTIONS (image_col='picture') AS SELECT * FROM train

-- ProgrammingError 42000 1,26
-- column 'label' holds int64, not the paths of pictures
CONVERT USING m OPTIONS (image_col='label') AS SELECT * FROM train

-- ProgrammingError 42703
-- the rows have no column of picture paths (image_path, image, img_path, filepath, path); name it with OPTIONS(image_col='...')
BUILD MODEL n USING SimCLR AS SELECT label FROM train

-- ProgrammingError 42704 1,15
-- there is no model 'clip_en'; GET THANOSQL MODEL clip_en fetches it
CONVERT USING clip_en AS SELECT * FROM test

-- ProgrammingError 42704 1,33
-- there is no model 'tutorial_search_clip'; GET THANOSQL MODEL tutorial_search_clip fetches it
SEARCH IMAGE text='a cat' USING tutorial_search_clip AS SELECT * FROM test

-- ProgrammingError 42704 1,20
-- no hub has a model 'tutorial_serach_clip'; did you mean 'tutorial_search_clip'?
GET THANOSQL MODEL tutorial_serach_clip
