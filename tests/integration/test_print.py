"""PRINT of pictures, sounds and videos: their files as a column, through the driver."""

from __future__ import annotations

import pytest

import thanosql
from tests.media_files import write_wav, write_webm
from thanosql_server.engine import printing


@pytest.fixture
def media(empty_cursor, tmp_path):
    """A cursor on a workspace with the tables `sounds` and `films`, of folders."""
    for name, pitch in (("low", 110), ("high", 880)):
        (tmp_path / "sounds" / name).mkdir(parents=True)
        write_wav(tmp_path / "sounds" / name / "a.wav", pitch=pitch)
    (tmp_path / "films").mkdir()
    write_webm(tmp_path / "films" / "a.webm")
    empty_cursor.execute("COPY sounds OPTIONS (file_type=['.wav']) FROM 'sounds'")
    empty_cursor.execute("COPY films OPTIONS (file_type='webm') FROM 'films'")
    return empty_cursor


def table(cursor, sql):
    return cursor.execute(sql).fetch_arrow_table()


def test_sounds_of_a_folder_are_printed(media, tmp_path):
    shown = table(media, "PRINT AUDIO AS SELECT * FROM sounds ORDER BY audio_path")
    assert shown.schema.names == ["audio_path", "filename", "label", "audio"]
    assert shown.schema.field("audio").metadata == {
        b"thanosql:media": b"audio",
        b"thanosql:path": b"audio_path",
    }
    paths = ["sounds/high/a.wav", "sounds/low/a.wav"]
    assert shown.column("audio_path").to_pylist() == paths
    assert shown.column("label").to_pylist() == ["high", "low"]
    files = [(tmp_path / path).read_bytes() for path in paths]
    assert shown.column("audio").to_pylist() == files


def test_videos_of_a_folder_are_printed(media, tmp_path):
    shown = table(media, "PRINT VIDEO AS (SELECT video_path FROM films)")
    assert shown.schema.field("video").metadata[b"thanosql:media"] == b"video"
    assert shown.to_pylist() == [
        {
            "video_path": "films/a.webm",
            "video": (tmp_path / "films/a.webm").read_bytes(),
        }
    ]


@pytest.mark.parametrize("option", ["audio_col", "audio_column"])
def test_an_option_names_the_column(media, option):
    sql = (
        "PRINT AUDIO OPTIONS ({}='{}') AS "
        "SELECT audio_path AS audio, 1 AS n FROM sounds"
    )
    shown = table(media, sql.format(option, "AUDIO"))
    # The file's column steps aside for the one that is there.
    assert shown.schema.names == ["audio", "n", "audio2"]
    assert shown.schema.field("audio2").metadata[b"thanosql:path"] == b"audio"
    with pytest.raises(thanosql.ProgrammingError) as caught:
        media.execute(sql.format(option, "nothing"))
    assert str(caught.value).startswith("there is no column 'nothing'")


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        (
            "PRINT AUDIO AS SELECT * FROM films",
            "the rows have no column of audio file paths (audio_path, audio, filepath, "
            "path); name it with OPTIONS(audio_col='...')",
        ),
        (
            "PRINT VIDEO OPTIONS (image_col='video_path') AS SELECT * FROM films",
            "PRINT VIDEO has no option 'image_col'",
        ),
        (
            "PRINT VIDEO AS SELECT 1 AS video_path",
            "column 'video_path' holds int64, not the paths of videos",
        ),
        (
            "CREATE TABLE t AS PRINT VIDEO AS SELECT * FROM films",
            "PRINT stands at the beginning of a statement, not inside a query",
        ),
    ],
)
def test_what_cannot_be_printed_is_one_sentence(media, sql, sentence):
    with pytest.raises(thanosql.Error) as caught:
        media.execute(sql)
    assert str(caught.value).startswith(sentence)
    assert media.execute("LIST TABLE").fetchall() == [("films",), ("sounds",)]


def test_files_that_cannot_be_read_are_null_with_a_warning(media, tmp_path):
    (tmp_path.parent / "outside.wav").write_bytes(b"secret")
    media.execute(
        "PRINT AUDIO AS SELECT column1 AS path FROM (VALUES ('sounds/low/a.wav'), "
        "(NULL), ('none.wav'), ('../outside.wav'), ('sounds'))"
    )
    shown = media.fetch_arrow_table()
    assert [data is None for data in shown.column("audio").to_pylist()] == [
        *(False, True, True, True, True)
    ]
    missing, outside, folder = media.warnings
    assert missing.startswith("there is no file 'none.wav'")
    assert outside.startswith("'../outside.wav' is outside the folders")
    assert folder.startswith("'sounds' is a folder")


def test_a_file_that_is_too_large_is_null_with_a_warning(media, tmp_path):
    with (tmp_path / "huge.wav").open("wb") as file:
        file.truncate(printing.MAX_FILE_BYTES + 1)
    with (tmp_path / "large.wav").open("wb") as file:
        file.truncate(printing.MAX_FILE_BYTES)
    media.execute(
        "PRINT AUDIO AS SELECT column1 AS path "
        "FROM (VALUES ('huge.wav'), ('large.wav'))"
    )
    huge, large = media.fetch_arrow_table().column("audio").to_pylist()
    assert huge is None
    assert len(large) == printing.MAX_FILE_BYTES
    assert media.warnings == [
        "the audio file 'huge.wav' is larger than 64 MiB, which is the most that PRINT "
        "hands over"
    ]


def test_files_leave_the_server_a_few_at_a_time(media, tmp_path):
    """Rows that come at once go out in parts, as the files are read."""
    with (tmp_path / "some.wav").open("wb") as file:
        file.truncate(printing.BATCH_BYTES)
    media.execute(
        "PRINT AUDIO AS SELECT 'some.wav' AS path FROM generate_series(1, 100) LIMIT 50"
    )
    rows = [batch.num_rows for batch in media.fetch_record_batches()]
    assert rows == [1] * 50


def test_the_command_line_shows_paths_and_sizes(media, tmp_path, capsys):
    from thanosql.cli import main

    statement = "PRINT VIDEO AS SELECT video_path FROM films"
    assert main(["sql", "--workspace", str(tmp_path), statement]) == 0
    size = (tmp_path / "films/a.webm").stat().st_size
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == f"films/a.webm | <{size} bytes>"
