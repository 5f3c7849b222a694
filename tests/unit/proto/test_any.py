import pytest

from thanosql_proto import flight, flight_sql, thanosql
from thanosql_proto.any import TYPE_URL_PREFIX, pack, unpack


def test_a_message_survives_its_envelope():
    sent = thanosql.Execute(query="SELECT ?", parameters=b"\0\1", progress=True)
    received = unpack(pack(sent))
    assert isinstance(received, thanosql.Execute)
    assert received == sent


def test_the_type_url_is_that_of_the_specification():
    name = "arrow.flight.protocol.sql.CommandGetCatalogs"
    assert pack(flight_sql.CommandGetCatalogs()) == (
        b"\x0a"
        + bytes([len(TYPE_URL_PREFIX + name)])
        + f"{TYPE_URL_PREFIX}{name}".encode()
    )


@pytest.mark.parametrize("data", [b"", b"junk", b"\xff" * 9, b"SELECT 1"])
def test_junk_is_refused(data):
    with pytest.raises(ValueError, match="not a packed protobuf message"):
        unpack(data)


def test_a_message_that_we_do_not_speak_is_named():
    stranger = flight.CloseSessionRequest()
    with pytest.raises(
        ValueError, match=r"type 'arrow\.flight\.protocol\.CloseSessionRequest'"
    ):
        unpack(pack(stranger))


def test_a_damaged_message_is_named():
    whole = pack(thanosql.Execute(query="SELECT 1"))
    damaged = whole[:-9] + b"\xff" * 9
    with pytest.raises(ValueError, match=r"damaged message .* 'thanosql\.v1\.Execute'"):
        unpack(damaged)
