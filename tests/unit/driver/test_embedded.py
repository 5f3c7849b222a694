import pytest

import thanosql
from thanosql import embedded


def test_a_folder_is_served_in_this_process(installed_server, tmp_path):
    with thanosql.connect(tmp_path, allowed_paths=["/data"]) as connection:
        cursor = connection.cursor()
        assert cursor.execute("NUMBERS: 1").fetchone() == (0, "#0")
    [server] = installed_server
    assert server.workspace == str(tmp_path.resolve())
    assert server.options == {"allowed_paths": ["/data"]}
    assert server.closed


def test_connections_to_one_folder_share_a_server(
    installed_server, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    first = thanosql.connect("./ws")
    second = thanosql.connect(f"thanosql://{tmp_path}/ws")
    first.close()
    assert second.cursor().execute("NUMBERS: 1").fetchone() == (0, "#0")
    second.close()
    [server] = installed_server
    assert server.closed


def test_a_closed_folder_can_be_opened_again(installed_server, tmp_path):
    thanosql.connect(tmp_path).close()
    thanosql.connect(tmp_path).close()
    assert [server.closed for server in installed_server] == [True, True]


def test_other_settings_for_a_served_folder_are_refused(installed_server, tmp_path):
    with thanosql.connect(tmp_path, threads=1):
        with pytest.raises(thanosql.InterfaceError, match="with other settings"):
            thanosql.connect(tmp_path, threads=2)
        thanosql.connect(tmp_path).close()
        assert not installed_server[0].closed


def test_what_is_left_open_is_closed_at_exit(installed_server, tmp_path):
    connection = thanosql.connect(tmp_path)
    embedded._close_all()
    assert installed_server[0].closed
    connection.close()


@pytest.mark.usefixtures("installed_server")
def test_a_server_without_its_libraries_is_called_not_installed():
    with pytest.raises(thanosql.InterfaceError) as caught:
        embedded.find("demo")
    assert str(caught.value) == (
        "the server is not installed here ('a_library_that_is_not_there' is missing); "
        "pip install 'thanosql-flight[server]', or connect to a running server with "
        "grpc://host:port"
    )


def test_a_command_that_nobody_registers_is_called_not_installed():
    with pytest.raises(
        thanosql.InterfaceError, match="not installed here; pip install"
    ):
        embedded.find("nothing of that name")
