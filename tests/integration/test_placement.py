"""Device and precision through the wire: options, the server's choice, what is kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from open_clip.model import CLIP

import thanosql
import thanosql_server
from thanosql import DataError, NotSupportedError
from thanosql_server.ml.clip_model import Architecture, save
from thanosql_server.scenes import held_out_scenes, write_scenes
from thanosql_server.storage.hub_writer import write_manifest

DEMO = Path(thanosql_server.__file__).parent / "demo_clip"
TRANSFORMER = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 64, "layers": 4, "width": 64, "patch_size": 16},
    "text_cfg": {"width": 64, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A workspace with a model of convolutions, a transformer, and scenes."""
    folder = tmp_path_factory.mktemp("placement")
    models = folder / ".thanosql" / "models"
    shutil.copytree(DEMO, models / "demo_clip" / "v1")
    (models / "vit" / "v1").mkdir(parents=True)
    torch.manual_seed(0)
    network = CLIP(
        **{k: v.copy() if k[-3:] == "cfg" else v for k, v in TRANSFORMER.items()}
    )
    save(models / "vit" / "v1", Architecture(TRANSFORMER), network, {})
    write_scenes(folder / "scenes", "scenes", "scenes", held_out_scenes(12))
    with thanosql.connect(str(folder)) as connection, connection.cursor() as cursor:
        (table,) = [f.name for f in (folder / "scenes").glob("*.csv")]
        cursor.execute(f"COPY scenes FROM 'scenes/{table}'")
    return folder


def embedded(cursor, model, options=""):
    cursor.execute(
        f"CONVERT USING {model} OPTIONS (result_col='e'{options}) "
        "AS SELECT * FROM scenes"
    )
    return np.array(cursor.fetch_arrow_table().column("e").to_pylist(), np.float32)


def kept(folder, model="vit"):
    return list((folder / ".thanosql" / "models" / model / "v1").glob(".derived/*"))


def test_options_choose_precision(folder):
    with thanosql.connect(str(folder)) as connection, connection.cursor() as cursor:
        exact = embedded(cursor, "demo_clip", ", device='cpu', precision='fp32'")
        half = embedded(cursor, "demo_clip", ", device='cpu', precision='half'")
        assert (exact * half).sum(1).min() > 0.999
        assert not np.array_equal(exact, half)
        cursor.execute(
            "CREATE TABLE listed USING demo_clip OPTIONS (precision='fp16', "
            "device='cpu') FROM 'scenes'"
        )
        cursor.execute("SELECT demo_clip_clipen AS e FROM listed ORDER BY image_path")
        listed = np.array(cursor.fetch_arrow_table()["e"].to_pylist(), np.float32)
        assert (listed @ half.T).max(1).min() > 0.9999
        cursor.execute("DROP TABLE listed")


def test_int8_is_made_once_left_out_of_hubs_and_deleted_with_its_model(
    folder, tmp_path
):
    workspace = tmp_path / "workspace"
    shutil.copytree(folder, workspace)
    with thanosql.connect(str(workspace)) as connection, connection.cursor() as cursor:
        exact = embedded(cursor, "vit", ", device='cpu', precision='fp32'")
        fast = embedded(cursor, "vit", ", precision='int8'")
        assert (exact * fast).sum(1).min() > 0.999
        assert not np.array_equal(exact, fast)
        (made,) = kept(workspace)
        with pytest.raises(NotSupportedError, match="consists of convolutions") as e:
            embedded(cursor, "demo_clip", ", precision='int8'")
        assert "line 1, column" in str(e.value)
        assert kept(workspace, "demo_clip") == []
    with thanosql.connect(str(workspace)) as connection, connection.cursor() as cursor:
        embedded(cursor, "vit", ", precision='int8'")
        assert kept(workspace) == [made]
        shutil.copytree(made.parents[1], tmp_path / "hub" / "models" / "vit")
        write_manifest(tmp_path / "hub")
        assert "onnx" not in (tmp_path / "hub" / "hub.toml").read_text()
        cursor.execute("DELETE MODEL vit")
    left = [path.name for path in (workspace / ".thanosql").rglob("*")]
    assert made.name not in left


def test_a_server_chooses_for_statements_and_searches(folder, tmp_path):
    workspace = tmp_path / "workspace"
    shutil.copytree(folder, workspace)
    with (
        thanosql.connect(str(workspace), device="cpu", precision="int8") as connection,
        connection.cursor() as cursor,
    ):
        fast = embedded(cursor, "vit")
        exact = embedded(cursor, "vit", ", precision='fp32'")
        assert not np.array_equal(exact, fast)
        assert len(kept(workspace)) == 1
        # What cannot be had in int8 is not refused where no statement asks for it.
        embedded(cursor, "demo_clip", ", table_name='scenes'")
        cursor.execute(
            "SEARCH IMAGE USING demo_clip OPTIONS (search_by='text', emb_col='e', "
            "search_input='a red circle', top_k=1) AS SELECT * FROM scenes"
        )
        assert len(cursor.fetchall()) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"device": "gpu"}, "the device must be 'auto', 'cpu'.*not 'gpu'"),
        ({"precision": "fp8"}, "the precision must be one of auto.*not 'fp8'"),
        ({"device": "cuda", "precision": "int8"}, "the precision int8 needs the CPU"),
    ],
)
def test_a_servers_wrong_settings_are_refused_at_its_start(tmp_path, settings, message):
    with pytest.raises(DataError, match=message):
        thanosql.connect(str(tmp_path / "new"), **settings)
    assert not (tmp_path / "new" / ".thanosql").exists()
