"""The examples of docs/sqlalchemy.md run as they are printed."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

DOCUMENT = Path(__file__).parents[2] / "docs" / "sqlalchemy.md"


@pytest.fixture
def known(scenes, scenes_folder):
    """What the examples know: the URL of a workspace, and its table of scenes."""
    url = f"thanosql:///{scenes_folder}"
    engine = sa.create_engine(url)
    table = sa.Table("scenes", sa.MetaData(), autoload_with=engine)
    engine.dispose()
    names = {"URL": url, "scenes": table}
    yield names
    names["engine"].dispose()


def test_the_examples_run(known, capsys):
    text = DOCUMENT.read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 4
    for example in examples:
        exec(compile(example, str(DOCUMENT), "exec"), known)
    nearest, best = capsys.readouterr().out.splitlines()
    assert nearest.startswith("[('a.jpg', 1.0), ('b.jpg', 0.6")
    assert len(re.findall(r"\.jpg'", best)) == 5
    scores = [float(one) for one in re.findall(r", (-?[\d.]+)\)", best)]
    assert scores == sorted(scores, reverse=True)
    with known["engine"].connect() as connection:
        albums = connection.exec_driver_sql("SELECT album, n FROM albums").fetchall()
    assert sorted(albums) == [("hills", 1), ("hills", 1), ("sea", 2), ("sea", 2)]


def test_searches_read_like_subqueries(known):
    from sqlalchemy_thanosql import search_image

    scenes = known["scenes"]
    engine = known["engine"] = sa.create_engine(known["URL"])
    few = sa.select(scenes).where(scenes.c.image_path != "")
    texts = ["a red circle", "a blue square"]
    found = search_image(few, model="demo_clip", text=texts, column="near")
    query = sa.select(found.c.near, found.c.near2).order_by(found.c.near2.desc())
    with engine.connect() as connection:
        rows = connection.execute(query.limit(3)).all()
        vector = sa.select(scenes.c.demo_clip_clipen).limit(1)
        (embedding,) = connection.execute(vector).one()
        same = scenes.c.demo_clip_clipen.cosine_similarity(embedding)
        best = connection.execute(sa.select(same).order_by(same.desc()).limit(1))
        assert best.scalar() == pytest.approx(1.0, abs=1e-5)
    assert len(rows) == 3
    assert rows[0].near2 >= rows[1].near2 >= rows[2].near2
    with pytest.raises(sa.exc.ArgumentError, match="a text or for an image"):
        search_image(scenes, model="demo_clip")
