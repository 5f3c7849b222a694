-- Files by the back door.

-- ProgrammingError 42P01
-- there is no table '/etc/passwd'
SELECT * FROM '/etc/passwd'

-- ProgrammingError 42000
-- table function 'read_csv' not found
SELECT * FROM read_csv('/etc/passwd')
