-- Files that cannot be written.

-- ProgrammingError 42501 1,14
-- '/etc/out.csv' is outside the server's workspace, the only place where statements write files
COPY test TO '/etc/out.csv'

-- ProgrammingError 42501 1,14
-- '.thanosql/out.csv' is outside the server's workspace
COPY test TO '.thanosql/out.csv'

-- ProgrammingError 42501 1,14
-- '../out.csv' is outside the server's workspace
COPY test TO '../out.csv'

-- ProgrammingError 58P01 1,14
-- there is no folder 'nowhere' to write into
COPY test TO 'nowhere/out.csv'

-- ProgrammingError 58P01 1,14
-- 'tutorial_data' is a folder; name a file in it
COPY test TO 'tutorial_data'

-- DataError 22023 1,14
-- 'out.txt' is of no known kind; files that can be written end in csv, tsv
COPY test TO 'out.txt'

-- ProgrammingError 42P01 1,6
-- there is no table 'tset'; did you mean 'test'?
COPY tset TO 'out.csv'

-- ProgrammingError 42703 1,14
-- there is no column 'lable'; did you mean 'label'?
COPY (SELECT lable FROM test) TO 'out.csv'

-- ProgrammingError 42601 1,7
-- expected a query in the parentheses, found 'test'
COPY (test) TO 'out.csv'

-- ProgrammingError 42601 1,27
-- expected TO and a path in quotes, found 'FROM'
COPY (SELECT * FROM test) FROM 'out.csv'

-- ProgrammingError 42704 1,32
-- COPY ... TO has no option 'overwite'; did you mean 'overwrite'?
COPY test TO 'out.csv' OPTIONS(overwite=True)
