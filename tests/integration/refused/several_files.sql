-- Patterns and folders of files to copy.

-- ProgrammingError 58P01 1,13
-- no file matches 'months/*.cvs'; relative paths start in the server's workspace
COPY t FROM 'months/*.cvs'

-- ProgrammingError 58P01 1,13
-- there is no folder 'month'; did you mean 'months'?
COPY t FROM 'month/*.csv'

-- DataError 22000
-- 'months/may.csv' lacks column 'cost', which 'months/june.csv' has; the option union_by_name=True reads NULL there
COPY t FROM 'months/*.csv'

-- DataError 22000
-- 'months/may.csv' lacks column 'cost', which 'months/june.csv' has; the option union_by_name=True reads NULL there
COPY t FROM 'months'

-- DataError 22023 1,13
-- 'kinds/*' matches files of several kinds, csv and json; let the pattern end in one of them, as in '*.csv'
COPY t FROM 'kinds/*'

-- DataError 22000 1,13
-- the folder 'kinds' holds files of several kinds, csv and json; name those to read by a pattern, as in 'kinds/**/*.csv'
COPY t FROM 'kinds'

-- DataError 22023 1,13
-- 'tutorial_data/mnist_data/*/*.jpg' matches pictures; COPY lists those of a folder, whose path has no wildcard
COPY t FROM 'tutorial_data/mnist_data/*/*.jpg'

-- DataError 22023 1,13
-- 'a/**/b/**/*.csv' has '**' more than once; one is enough
COPY t FROM 'a/**/b/**/*.csv'

-- DataError 22023 1,13
-- 'months/*/../*.csv' has '..' behind a wildcard; leave it out
COPY t FROM 'months/*/../*.csv'

-- ProgrammingError 42501 1,13
-- 'link.csv' is outside the folders this server may read; move it into the workspace, or start the server with --allow-path for its folder
COPY t FROM 'lin*.csv'

-- ProgrammingError 42501 1,13
-- 'link' is outside the folders this server may read; move it into the workspace, or start the server with --allow-path for its folder
COPY t FROM 'lin?/*.csv'

-- ProgrammingError 42501 1,13
-- '../*/*.csv' is outside the folders this server may read; move it into the workspace, or start the server with --allow-path for its folder
COPY t FROM '../*/*.csv'

-- ProgrammingError 42501 1,13
-- '.thanosql' is outside the folders this server may read; move it into the workspace, or start the server with --allow-path for its folder
COPY t FROM '.thano*/**/*.parquet'

-- ProgrammingError 42501 1,13
-- 's3://bucket/*.parquet' is none of the addresses this server may read
COPY t FROM 's3://bucket/*.parquet'

-- ProgrammingError 42000 1,16
-- option 'union_by_name' is for files of rows, and COPY lists the pictures of 'tutorial_data'
COPY t OPTIONS(union_by_name=True) FROM 'tutorial_data'

-- ProgrammingError 42000 1,16
-- option 'file_type' chooses pictures of a folder, and 'months/*.csv' is several files
COPY t OPTIONS(file_type='csv') FROM 'months/*.csv'

-- DataError 22023 1,16
-- option 'filename' must be True or False
COPY t OPTIONS(filename='yes') FROM 'months/*.csv'
