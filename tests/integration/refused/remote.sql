-- Files of other machines, and sheets of what has none.

-- ProgrammingError 42501 1,13
-- 'https://example.org/t.csv' is none of the addresses this server may read
COPY t FROM 'https://example.org/t.csv'

-- ProgrammingError 42501 1,13
-- 's3://bucket/t.parquet' is none of the addresses this server may read
COPY t FROM 's3://bucket/t.parquet'

-- ProgrammingError 42501 1,13
-- 'HTTP://169.254.169.254/latest' is none of the addresses this server may read
COPY t FROM 'HTTP://169.254.169.254/latest'

-- ProgrammingError 42000 1,16
-- option 'sheet' chooses a sheet of an Excel file, and 'fine.csv' is none
COPY t OPTIONS(sheet=2) FROM 'fine.csv'
