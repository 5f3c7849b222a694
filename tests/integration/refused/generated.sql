-- Generated columns that cannot be defined, written or taken away.

-- ProgrammingError 42704 1,76
-- there is no model 'mm'
CREATE TABLE t (id INT, p IMAGE, e VECTOR GENERATED ALWAYS AS (embed_image('mm', p)))

-- ProgrammingError 42703 1,81
-- there is no column 'pp' to embed; did you mean 'p'?
CREATE TABLE t (id INT, p IMAGE, e VECTOR GENERATED ALWAYS AS (embed_image('m', pp)))

-- ProgrammingError 42000 1,81
-- embed_image takes paths of pictures, and column 'id' holds int32
CREATE TABLE t (id INT, p IMAGE, e VECTOR GENERATED ALWAYS AS (embed_image('m', id)))

-- ProgrammingError 42000 1,36
-- model 'm' gives VECTOR(512), not VECTOR(3)
CREATE TABLE t (id INT, p IMAGE, e VECTOR(3) GENERATED ALWAYS AS (embed_image('m', p)))

-- NotSupportedError 0A000 1,75
-- model 'm' is a SimCLR and cannot embed texts; a CLIP can
CREATE TABLE t (id INT, p IMAGE, e VECTOR GENERATED ALWAYS AS (embed_text('m', p)))

-- NotSupportedError 0A000 1,64
-- a generated column is embed_image('model', column) or embed_text('model', column)
CREATE TABLE t (id INT, p IMAGE, e VECTOR GENERATED ALWAYS AS (id + 1))

-- ProgrammingError 42601 1,83
-- expected ')': a generated column is embed_image('model', column)
CREATE TABLE t (id INT, p IMAGE, e VECTOR GENERATED ALWAYS AS (embed_image('m', p || 'x')))

-- NotSupportedError 0A000 1,85
-- generated columns are stored
CREATE TABLE t (id INT, p IMAGE, e VECTOR GENERATED ALWAYS AS (embed_image('m', p)) VIRTUAL)

-- ProgrammingError 42601 1,34
-- column 'e' has both a default and an expression
CREATE TABLE t (id INT, p IMAGE, e VECTOR DEFAULT NULL GENERATED ALWAYS AS (embed_image('m', p)))

-- ProgrammingError 42601 1,34
-- column 'e' cannot be NOT NULL: a row waits for its embedding
CREATE TABLE t (id INT, p IMAGE, e VECTOR GENERATED ALWAYS AS (embed_image('m', p)) NOT NULL)

-- ProgrammingError 42000 1,34
-- column 'e' cannot be a key: a row waits for its embedding
CREATE TABLE t (id INT, p IMAGE, e VECTOR GENERATED ALWAYS AS (embed_image('m', p)) PRIMARY KEY)

-- ProgrammingError 42000 1,34
-- column 'e' cannot be a key: a row waits for its embedding
CREATE TABLE t (id INT, p IMAGE, e VECTOR GENERATED ALWAYS AS (embed_image('m', p)), PRIMARY KEY (id, e))

-- ProgrammingError 42703 1,81
-- there is no column 'pp' to embed
ALTER TABLE test ADD COLUMN e VECTOR GENERATED ALWAYS AS (embed_image('m',      pp))

-- ProgrammingError 428C9 1,13
-- column 'e' is generated always; leave it out, the server fills it
INSERT INTO kept (id, e) VALUES (1, [1.0])

-- ProgrammingError 428C9 1,13
-- column 'e' is generated always; leave it out, the server fills it
INSERT INTO kept (id, e) SELECT 1, e FROM kept

-- ProgrammingError 428C9 1,17
-- column 'e' is generated always; leave it out, the server fills it
UPDATE kept SET e = NULL

-- ProgrammingError 428C9 1,15
-- column 'e' is generated always; REFRESH TABLE kept brings it up to date
CONVERT USING m OPTIONS (table_name='kept', result_col='e') AS SELECT * FROM kept

-- ProgrammingError 2BP01 1,24
-- column 'e' is generated from 'image_path'; DROP COLUMN ... CASCADE drops both
ALTER TABLE kept DROP  image_path

-- ProgrammingError 2BP01 1,14
-- column 'e' of table 'kept' is generated with model 'm'; drop the column first
DELETE MODEL M

-- NotSupportedError 0A000 1,24
-- column 'image_path' keeps its type, since 'e' is generated as embed_image('m', image_path)
ALTER TABLE kept ALTER image_path TYPE BYTEA

-- NotSupportedError 0A000 1,24
-- column 'e' keeps its type
ALTER TABLE kept ALTER e TYPE VECTOR(3)

-- ProgrammingError 42000 1,24
-- column 'e' is generated always and cannot have a default
ALTER TABLE kept ALTER e SET DEFAULT NULL

-- ProgrammingError 42000 1,24
-- column 'e' is generated always and cannot be NOT NULL: a row waits for it
ALTER TABLE kept ALTER e SET NOT NULL

-- ProgrammingError 42000 1,24
-- column 'id' is not generated
ALTER TABLE kept ALTER id DROP EXPRESSION

-- ProgrammingError 42000 1,15
-- table 'test' has no generated columns
REFRESH TABLE test

-- ProgrammingError 42000 1,21
-- column 'id' is not generated
REFRESH TABLE kept (id)

-- ProgrammingError 42703 1,21
-- table 'kept' has no column 'ee'
REFRESH TABLE kept (ee)

-- ProgrammingError 42P01 1,15
-- there is no table 'keptt'; did you mean 'kept'?
REFRESH TABLE keptt

-- ProgrammingError 42000 1,15
-- 'eights' is a view and cannot be changed
REFRESH TABLE eights

-- ProgrammingError 42601 1,20
-- expected the end of the statement
REFRESH TABLE kept SLOWLY

-- NotSupportedError 0A000 1,1
-- REFRESH MATERIALIZED is not supported yet
REFRESH MATERIALIZED VIEW kept

-- ProgrammingError 42000
-- column count doesn't match insert query
INSERT INTO kept SELECT * FROM kept
