-- Pictures.

-- ProgrammingError 58P01 1,14
-- there is no file 'missing.jpg'
SEARCH IMAGE images='missing.jpg' USING m AS SELECT * FROM test

-- ProgrammingError 58P01 1,14
-- there is no file 'tutorial_data/mnist_data/test/932.jpg'; did you mean '923.jpg'?
SEARCH IMAGE images='tutorial_data/mnist_data/test/932.jpg' USING m AS SELECT * FROM test

-- DataError 22000 1,14
-- the picture 'text.jpg' cannot be read: not a picture
SEARCH IMAGE images='text.jpg' USING m AS SELECT * FROM test

-- DataError 22000 1,14
-- the picture 'truncated.jpg' cannot be read: truncated JPEG
SEARCH IMAGE images='truncated.jpg' USING m AS SELECT * FROM test

-- DataError 22000 1,14
-- the picture 'huge.png' cannot be read: 20000 x 20000 pixels exceed the limit of 100 million
SEARCH IMAGE images='huge.png' USING m AS SELECT * FROM test

-- DataError 22000 1,14
-- the picture 'empty.jpg' cannot be read: empty file
SEARCH IMAGE images='empty.jpg' USING m AS SELECT * FROM test

-- ProgrammingError 58P01 1,14
-- 'no_pictures' is a folder; a file is needed here
SEARCH IMAGE images='no_pictures' USING m AS SELECT * FROM test

-- DataError 22023 1,14
-- a path cannot be empty
SEARCH IMAGE images='' USING m AS SELECT * FROM test
