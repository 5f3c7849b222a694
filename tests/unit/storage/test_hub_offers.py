"""What hubs have: their order, those that are down, and what needs none."""

from __future__ import annotations

import pytest

from tests.unit.storage.hub_place import write_files
from thanosql_server.errors import HubUnreachable, UndefinedObject
from thanosql_server.storage.hub_writer import write_manifest


def test_hubs_are_asked_in_their_order(open_place, hub, tmp_path):
    other = tmp_path / "other"
    write_files(other / "datasets" / "letters", {"b.csv": b"b\n"})
    write_files(other / "datasets" / "more", {"c.csv": b"c\n"})
    write_manifest(other, "tabular")
    place = open_place(str(other), str(hub))
    entries = place.hubs.offers.entries("datasets", place.control)
    assert [(entry.name, entry.category) for entry in entries] == [
        ("digits_data", "image"),
        ("letters", "tabular"),
        ("mnist_data", "image"),
        ("more", "tabular"),
        ("scenes_data", "image"),
        ("unsplash_data", "image"),
    ]
    place.get("letters")
    assert place.content("letters") == {"b.csv": b"b\n"}


def test_a_hub_that_is_down_hides_no_other(open_place, hub, server):
    server.close()
    place = open_place(server.address, str(hub))
    names = [entry.name for entry in place.hubs.offers.entries("models", place.control)]
    assert "demo_clip" in names
    assert "encoder" in names
    place.get_model("encoder")
    assert (
        place.control.warnings
        == (
            f"hub.toml cannot be fetched from the hub {server.address}: "
            "nothing answers at this address",
        )
        * 2
    )
    with pytest.raises(HubUnreachable, match="nothing answers at this address"):
        place.get_model("unknown")


def test_an_unknown_name_gets_a_hint(place):
    with pytest.raises(UndefinedObject, match="no hub has a data set 'leters'; did yo"):
        place.get("leters")
    with pytest.raises(UndefinedObject, match="; LIST THANOSQL MODEL shows what ther"):
        place.get_model("nothing_alike")


def test_what_is_at_hand_is_known_without_a_network(open_place, hub, server):
    assert "encoder" in open_place(str(hub)).hubs.offers.known_at_hand("models")
    remote = open_place(server.address)
    assert "encoder" not in remote.hubs.offers.known_at_hand("models")
    assert "digits_data" in remote.hubs.offers.known_at_hand("datasets")
    assert server.behaviour.requests == []


@pytest.mark.parametrize(
    ("name", "table"),
    [("digits_data", "mnist_test.csv"), ("scenes_data", "scenes.csv")],
)
def test_built_in_data_sets_are_drawn(open_place, name, table, monkeypatch):
    monkeypatch.setattr("thanosql_server.storage.hub_built_in.SCENES", 10)
    monkeypatch.setattr(
        "thanosql_server.storage.hub_built_in.DIGITS", {"test": (10, 1_000_000)}
    )
    place = open_place()
    place.get(name)
    content = place.content(name)
    lines = content[table].decode().splitlines()
    assert len(lines) == 11
    picture = next(cell for cell in lines[1].split(",") if cell.endswith(".jpg"))
    assert (place.root / picture).is_file()


def test_the_shipped_model_needs_no_hub(open_place):
    place = open_place()
    place.get_model("demo_clip")
    assert place.models.open("demo_clip").config["family"] == "CLIP"


def test_a_model_is_fetched_where_it_is_missing(place):
    for _ in range(2):
        place.hubs.fetch_model("Encoder", place.control)
    assert place.models.open("encoder").version == 1
