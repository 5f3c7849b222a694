-- Files to copy.

-- ProgrammingError 58P01 1,13
-- there is no file 'missing.csv'
COPY t FROM 'missing.csv'

-- DataError 22000
-- 'empty.csv': the file is empty; its first line must name the columns
COPY t FROM 'empty.csv'

-- DataError 22000
-- 'ragged.csv', line 3: expected 2 columns, found 1
COPY t FROM 'ragged.csv'

-- DataError 22000
-- 'ragged.csv', line 3: expected 2 columns, found 1
COPY test OPTIONS (overwrite=True) FROM 'ragged.csv'

-- DataError 22000
-- 'latin.csv', line 2: this is no utf-8 text; if the file is encoded otherwise, say so with the option encoding, as in encoding='cp949'
COPY t FROM 'latin.csv'

-- DataError 22000
-- 'twice.csv', line 1: there are several columns named 'a'
COPY t FROM 'twice.csv'

-- DataError 22000
-- 'junk.parquet': this is not a Parquet file
COPY t FROM 'junk.parquet'

-- DataError 22000
-- 'junk.json', line 2: this is not JSON
COPY t FROM 'junk.json'

-- DataError 22023
-- 'notes.docx' is of no known kind; files that can be read end in csv, tsv, parquet, pqt, arrow, arrows, feather, json, jsonl, ndjson
COPY t FROM 'notes.docx'

-- DataError 22000
-- there are no pictures in 'no_pictures'
COPY t FROM 'no_pictures'

-- ProgrammingError 42P07
-- table 'test' already exists; choose another name, or replace it with overwrite=True
COPY test FROM 'fine.csv'

-- ProgrammingError 42703
-- the table has no column 'a'
COPY test OPTIONS (if_exists='append') FROM 'fine.csv'

-- ProgrammingError 42704 1,6
-- tables cannot be written in schema 'information_schema'; they live in 'public'
COPY information_schema.t FROM 'fine.csv'

-- DataError 22023
-- the name of the table 'nnnnnnnnnnnnnnnnnnnn...' has 129 characters; at most 128 are possible
COPY nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn FROM 'fine.csv'
