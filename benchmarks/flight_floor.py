"""A Flight server in Python that does nothing: what any such server costs at least.

It answers GetFlightInfo and DoGet from constants: no credentials, no planning, no
queue, no list of what runs. `flight.py` runs it beside the real ones and prints its
figures as "pyarrow, empty server".
"""

from __future__ import annotations

import pyarrow as pa
from pyarrow import flight

ROW = pa.table({"Int64(1)": [1]})


class Floor(flight.FlightServerBase):
    """One row for whatever is asked."""

    def get_flight_info(self, context, descriptor):
        endpoint = flight.FlightEndpoint(b"1", [])
        return flight.FlightInfo(ROW.schema, descriptor, [endpoint], -1, -1)

    def do_get(self, context, ticket):
        return flight.GeneratorStream(ROW.schema, iter(ROW.to_batches()))


if __name__ == "__main__":
    with Floor("grpc://127.0.0.1:0") as server:
        print(f"listening at grpc://127.0.0.1:{server.port}", flush=True)
        server.serve()
