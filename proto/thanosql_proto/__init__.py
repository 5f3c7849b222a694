"""The messages that the server and its clients exchange.

One module per `.proto` file: `flight` (bodies of Flight actions), `flight_sql` and
`flight_sql_info` (Arrow Flight SQL), `thanosql` (our own). `any` packs and unpacks
them. They live in a descriptor pool of their own, so that another package in the
same process may define the same messages (flightsql-dbapi does).
"""
