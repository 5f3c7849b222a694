"""image_html: pictures as HTML in the rows of queries, through the driver."""

from __future__ import annotations

import base64
import html
import io
import os
import re
import threading
import time

import pytest
from PIL import Image

import thanosql
from tests.integration.servers import wait_until
from thanosql_server.engine import thumbnails

ELEMENT = re.compile(
    r'<img src="data:image/jpeg;base64,([A-Za-z0-9+/=]+)" '
    r'width="(\d+)" height="(\d+)" alt="([^"<>]*)">'
)


def shown(element):
    """Return the picture of an element, its width and height, and its path."""
    match = ELEMENT.fullmatch(element)
    assert match, element
    picture = Image.open(io.BytesIO(base64.b64decode(match[1])))
    assert picture.format == "JPEG"
    return picture, (int(match[2]), int(match[3])), html.unescape(match[4])


@pytest.fixture
def pictures(empty_cursor, tmp_path):
    """A cursor on a workspace with the table `t` of pictures, in this order.

    wide.png is red and 400 x 100, tall.jpg green and 30 x 900, small.jpg 20 x 10.
    """
    Image.new("RGB", (400, 100), "red").save(tmp_path / "wide.png")
    Image.new("RGB", (30, 900), "green").save(tmp_path / "tall.jpg")
    Image.new("L", (20, 10), 255).save(tmp_path / "small.jpg")
    (tmp_path / "text.jpg").write_text("no picture")
    rows = "(1, 'wide.png'), (2, 'tall.jpg'), (3, 'small.jpg')"
    empty_cursor.execute(f"CREATE TABLE t AS SELECT * FROM (VALUES {rows}) AS v(n, p)")
    return empty_cursor


def values(cursor, sql, parameters=()):
    return [row[0] for row in cursor.execute(sql, parameters).fetchall()]


def test_a_picture_is_made_small_and_keeps_its_proportions(pictures):
    wide, tall, small = values(pictures, "SELECT image_html(p, 80) FROM t ORDER BY n")
    picture, size, path = shown(wide)
    assert (picture.size, size, path) == ((80, 20), (80, 20), "wide.png")
    red, green, blue = picture.convert("RGB").getpixel((40, 10))
    assert red > 240
    assert green < 15
    assert blue < 15
    picture, size, _ = shown(tall)
    assert picture.size == size == (5, 160)  # at most twice as high as wide
    picture, size, _ = shown(small)
    assert (picture.size, size) == ((20, 10), (80, 40))  # the page makes it larger


def test_the_usual_width_and_a_parameter(pictures):
    sql = "SELECT image_html(p{}) FROM t WHERE n = 1"
    assert shown(*values(pictures, sql.format("")))[1] == (200, 50)
    assert shown(*values(pictures, sql.format(", ?"), [100]))[1] == (100, 25)
    assert shown(*values(pictures, "SELECT image_html(?, 100)", ["wide.png"]))[1] == (
        100,
        25,
    )


def test_a_call_without_an_alias_is_named_as_it_is_written(pictures):
    pictures.execute("SELECT image_html(p, 80), n FROM t")
    names = [(column[0], column[1]) for column in pictures.description]
    assert names == [("image_html(p, 80)", "VARCHAR"), ("n", "BIGINT")]


def test_what_cannot_be_read_is_null_with_one_warning(pictures, tmp_path):
    outside = tmp_path.parent / "outside.png"
    Image.new("RGB", (9, 9)).save(outside)
    os.symlink(outside, tmp_path / "link.png")
    rows = ["'gone.jpg'", "'text.jpg'", "NULL", "'wide.png'", "'../outside.png'"]
    rows += ["'link.png'", "'.thanosql/x'"]
    listed = ", ".join(f"({at}, {row})" for at, row in enumerate(rows))
    sql = f"SELECT image_html(p, 20) FROM (VALUES {listed}) AS v(n, p) ORDER BY n"
    found = values(pictures, sql)
    assert [value is None for value in found] == [True] * 3 + [False] + [True] * 3
    (warning,) = pictures.warnings
    assert warning.startswith("5 of 6 pictures could not be read and are not shown: ")
    assert "'gone.jpg' (no such file), 'text.jpg' (not a picture)" in warning
    assert str(tmp_path) not in warning


def test_only_the_rows_that_go_out_are_read(pictures, monkeypatch):
    read = []
    real = thumbnails.thumbnail
    monkeypatch.setattr(
        thumbnails, "thumbnail", lambda *given: read.append(given) or real(*given)
    )
    sql = (
        "SELECT image_html(p, 40) AS picture, n, value FROM t "
        "CROSS JOIN generate_series(1, 5000) ORDER BY value DESC, n LIMIT 2"
    )
    assert len(values(pictures, sql)) == 2
    assert len(read) == 2


def test_pictures_can_be_grouped_counted_and_put_together(pictures):
    sql = (
        "SELECT image_html(p, 40) AS picture, count(*) FROM t CROSS JOIN "
        "generate_series(1, 3) GROUP BY image_html(p, 40) ORDER BY picture"
    )
    rows = pictures.execute(sql).fetchall()
    assert [(shown(picture)[2], count) for picture, count in rows] == [
        ("small.jpg", 3),
        ("tall.jpg", 3),
        ("wide.png", 3),
    ]
    (sheet,) = values(
        pictures,
        "SELECT '<b>' || string_agg(image_html(p, 40), ' ' ORDER BY n) || '</b>' "
        "FROM t WHERE n <> 2",
    )
    first, second = sheet.removeprefix("<b>").removesuffix("</b>").split("> <")
    assert shown(first + ">")[2] == "wide.png"
    assert shown("<" + second)[2] == "small.jpg"
    (listed,) = values(pictures, "SELECT array_agg(image_html(p, 40)) FROM t")
    assert {shown(element)[2] for element in listed} == {
        "wide.png",
        "tall.jpg",
        "small.jpg",
    }


def test_two_sizes_and_other_texts_stand_side_by_side(pictures):
    sql = "SELECT p, image_html(p, 40), image_html(p, 80), n FROM t ORDER BY n"
    for path, small, large, _ in pictures.execute(sql).fetchall():
        assert shown(small)[2] == shown(large)[2] == path
        assert shown(large)[1][0] == 2 * shown(small)[1][0] or path == "tall.jpg"


def test_a_view_shows_pictures(pictures):
    pictures.execute("CREATE VIEW v AS SELECT image_html(p, 40) AS picture, n FROM t")
    found = values(pictures, "SELECT picture FROM v WHERE n = 1")
    assert shown(*found)[2] == "wide.png"


def test_a_path_is_escaped(pictures, tmp_path):
    name = 'a"><script>alert(1)<.png'
    Image.new("RGB", (9, 9)).save(tmp_path / name)
    found = values(pictures, "SELECT image_html(?, 20)", [name])
    assert shown(*found)[2] == name


def test_pictures_follow_a_search(scenes):
    sql = (
        "SELECT image_html(image_path, 48) AS picture, image_path FROM ("
        "SEARCH IMAGE text='a red circle' USING demo_clip AS SELECT * FROM scenes) "
        "ORDER BY demo_clip_clipen_similarity1 DESC LIMIT 3"
    )
    rows = scenes.execute(sql).fetchall()
    assert [shown(picture)[2] for picture, _ in rows] == [path for _, path in rows]
    assert len(rows) == 3


def test_a_value_that_is_too_long_is_null(pictures, monkeypatch):
    monkeypatch.setattr(thumbnails, "VALUE_BYTES", 2000)
    found = values(
        pictures,
        "SELECT string_agg(image_html(p, 40), '') FROM t CROSS JOIN "
        "generate_series(1, 50) GROUP BY n = 1 ORDER BY n = 1",
    )
    assert found == [None, None]
    (warning,) = pictures.warnings
    assert warning.startswith("2 values are NULL: the pictures in one value may take ")


def test_batches_go_out_before_all_pictures_are_made(pictures, tmp_path):
    noise = Image.effect_noise((600, 600), 200).convert("RGB")
    noise.save(tmp_path / "noise.jpg", quality=95)
    pictures.execute("SELECT image_html('noise.jpg', 600) FROM generate_series(1, 40)")
    sizes = [batch.num_rows for batch in pictures.fetch_record_batches()]
    assert sum(sizes) == 40
    assert max(sizes) < 20


def test_a_cancelled_statement_reads_no_more(pictures, monkeypatch):
    read = []

    def slow(path, width):
        read.append(path)
        time.sleep(0.02)
        raise thumbnails.UnreadableImage("too slow")

    monkeypatch.setattr(thumbnails, "thumbnail", slow)
    sql = "SELECT image_html('wide.png', 20) FROM generate_series(1, 100000)"

    def stop(progress):
        if read:
            pictures.cancel()

    with pytest.raises(thanosql.OperationalError, match="cancelled"):
        pictures.execute(sql, progress=stop).fetchall()
    wait_until(lambda: not [t for t in threading.enumerate() if "thumb" in t.name])
    assert len(read) < 1_000
