-- Paths that lead out.

-- ProgrammingError 42501 1,14
-- '../../etc/passwd' is outside the folders this server may read; move it into the workspace, or start the server with --allow-path for its folder
SEARCH IMAGE images='../../etc/passwd' USING m AS SELECT * FROM test

-- ProgrammingError 42501 1,14
-- '/etc/passwd' is outside the folders this server may read; move it into the workspace, or start the server with --allow-path for its folder
SEARCH IMAGE images='/etc/passwd' USING m AS SELECT * FROM test

-- ProgrammingError 42501 1,14
-- 'link.jpg' is outside the folders this server may read; move it into the workspace, or start the server with --allow-path for its folder
SEARCH IMAGE images='link.jpg' USING m AS SELECT * FROM test

-- ProgrammingError 42501 1,14
-- 'link/secret.jpg' is outside the folders this server may read; move it into the workspace, or start the server with --allow-path for its folder
SEARCH IMAGE images='link/secret.jpg' USING m AS SELECT * FROM test

-- ProgrammingError 42501 1,14
-- 'tutorial_data/../../outside/secret.jpg' is outside the folders this server may read; move it into the workspace, or start the server with --allow-path for its folder
SEARCH IMAGE images='tutorial_data/../../outside/secret.jpg' USING m AS SELECT * FROM test

-- ProgrammingError 42501 1,14
-- '.thanosql/models/m/v1/config.json' is outside the folders this server may read; move it into the workspace, or start the server with --allow-path for its folder
SEARCH IMAGE images='.thanosql/models/m/v1/config.json' USING m AS SELECT * FROM test

-- ProgrammingError 42501 1,13
-- '../../etc/passwd' is outside the folders this server may read; move it into the workspace, or start the server with --allow-path for its folder
COPY t FROM '../../etc/passwd'

-- ProgrammingError 42501 1,13
-- '/etc/passwd' is outside the folders this server may read; move it into the workspace, or start the server with --allow-path for its folder
COPY t FROM '/etc/passwd'

-- ProgrammingError 42501 1,13
-- 'link.csv' is outside the folders this server may read; move it into the workspace, or start the server with --allow-path for its folder
COPY t FROM 'link.csv'

-- ProgrammingError 42501 1,13
-- 'link/secret.csv' is outside the folders this server may read; move it into the workspace, or start the server with --allow-path for its folder
COPY t FROM 'link/secret.csv'

-- ProgrammingError 42501 1,13
-- 'link' is outside the folders this server may read; move it into the workspace, or start the server with --allow-path for its folder
COPY t FROM 'link'

-- ProgrammingError 42501 1,13
-- '..' is outside the folders this server may read; move it into the workspace, or start the server with --allow-path for its folder
COPY t FROM '..'

-- ProgrammingError 42501 1,13
-- '.thanosql' is outside the folders this server may read; move it into the workspace, or start the server with --allow-path for its folder
COPY t FROM '.thanosql'

-- ProgrammingError 42501 1,29
-- 'link' is outside the folders this server may read; move it into the workspace, or start the server with --allow-path for its folder
CREATE TABLE t USING m FROM 'link'
