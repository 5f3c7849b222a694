-- Calls of our functions.

-- ProgrammingError 42704 1,19
-- there is no model 'tny'
SELECT embed_text('tny', 'a cat')

-- NotSupportedError 0A000 1,19
-- model 'm' is a SimCLR and cannot embed texts; a CLIP can
SELECT embed_text('m', 'a cat')

-- ProgrammingError 42000 2,20
-- embed_image takes the name of a model in quotes first, as in embed_image('my_model', ...), not 'filename'
SELECT label,
       embed_image(filename, image_path) FROM test

-- ProgrammingError 42000 1,20
-- takes the name of a model in quotes first, as in embed_image('my_model', ...), not '"m"'
SELECT embed_image("m", 'a.jpg')

-- ProgrammingError 42000 1,8
-- embed_image takes two arguments, a model and the path of a picture, not 1
SELECT embed_image('m')

-- ProgrammingError 42000 1,8
-- cosine_similarity takes two arguments, both vectors, not 3
SELECT cosine_similarity(m_simclr, m_simclr, 1) FROM test

-- ProgrammingError 42000 1,8
-- l2_distance takes two arguments, both vectors, not 0
SELECT l2_distance()

-- ProgrammingError 58P01 1,25
-- there is no file 'nothing.jpg'
SELECT embed_image('m', 'nothing.jpg')

-- DataError 22000 1,59
-- the picture 'text.jpg' cannot be read: not a picture
SELECT label FROM test WHERE l2_distance(embed_image('m', 'text.jpg'), m_simclr) < 1

-- ProgrammingError 42501 1,25
-- is outside the folders this server may read
SELECT embed_image('m', '../../etc/passwd')

-- ProgrammingError 42000 1,25
-- embed_image takes the path of a picture, not Int64
SELECT embed_image('m', label) FROM test

-- ProgrammingError 42000 1,25
-- embed_image takes the path of a picture, not List(Utf8)
SELECT embed_image('m', ['a.jpg', 'b.jpg'])

-- ProgrammingError 42000 1,43
-- inner_product compares vectors, which are lists of numbers; this is Utf8
SELECT * FROM test ORDER BY inner_product(filename, m_simclr)

-- ProgrammingError 42000 1,44
-- cosine_similarity compares vectors, which are lists of numbers; this is List(Utf8)
SELECT 1 FROM test WHERE cosine_similarity(['a'], m_simclr) > 0

-- DataError 22023 1,36
-- cosine_similarity compares vectors, which are lists of numbers, and this is 'a cat'; embed_text('model', ...) makes one of a text
SELECT cosine_similarity(m_simclr, 'a cat') FROM test

-- DataError 22023 1,36
-- a vector has at least one number, and this list is empty
SELECT cosine_similarity(m_simclr, []) FROM test

-- ProgrammingError 42000 1,38
-- cosine_similarity compares vectors of one length, and these have 512 and 2
SELECT label FROM test WHERE 0.5 < ( cosine_similarity(m_simclr, [1, 2]) )

-- ProgrammingError 42000 1,8
-- l2_distance compares vectors of one length, and these have 3 and 2
SELECT l2_distance([1, 2, 3], [1, 2])

-- DataError 22000
-- l2_distance compares vectors of one length, and these have 1 and 2
SELECT l2_distance(v, w) FROM (VALUES (make_array(1), make_array(1, 2))) AS t(v, w)

-- DataError 22000
-- inner_product compares vectors of one length, and these have 2 and 3
SELECT v FROM (VALUES ([1, 2, 3]), ([1, 2])) AS t(v) ORDER BY inner_product(v, [1, 2, 3]) LIMIT 1

-- ProgrammingError 42601 1,25
-- '(' is not closed
SELECT cosine_similarity(m_simclr, [1, 2] FROM test

-- ProgrammingError 42703 1,26
-- there is no column 'm_simcl'; did you mean 'm_simclr'?
SELECT cosine_similarity(m_simcl, [1]) FROM test

-- ProgrammingError 42P01 1,33
-- there is no table 'nowhere'
SELECT embed_image('m', x) FROM nowhere

-- ProgrammingError 42000 1,8
-- image_html takes the path of a picture and a width in pixels, not 3 arguments
SELECT image_html(image_path, 100, 100) FROM test

-- ProgrammingError 42000 1,8
-- image_html takes the path of a picture and a width in pixels, not 0 arguments
SELECT image_html()

-- DataError 22023 1,31
-- image_html takes a width from 16 to 1024 pixels, not '5000'
SELECT image_html(image_path, 5000) FROM test

-- DataError 22023 2,26
-- image_html takes a width from 16 to 1024 pixels, not 'label * 10'
SELECT label,
  image_html(image_path, label * 10) FROM test

-- ProgrammingError 42000 1,19
-- image_html takes the path of a picture, not Int64
SELECT image_html(label, 100) FROM test

-- NotSupportedError 0A000 1,30
-- image_html makes pictures for rows that are shown, and they cannot be stored; store the path, and call it in the query that shows the rows
CREATE TABLE shown AS SELECT image_html(image_path, 100) AS picture FROM test

-- NotSupportedError 0A000 1,60
-- cannot be stored
CONVERT USING m OPTIONS (table_name='stored') AS SELECT *, image_html(image_path, 100) AS picture FROM test
