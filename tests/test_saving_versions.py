"""Folders that earlier versions have written: see `helpers/old_folders.py`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from old_folders import CLASSES, PREPROCESSING, TRAINING, make_model, numbers, train

from dlnative.saving import load, save

FOLDERS = Path(__file__).parent / "saved_models"
VERSIONS = sorted(int(path.name.removeprefix("version_")) for path in FOLDERS.iterdir())


def test_there_is_one_of_each_version():
    from dlnative.saving.configuration import VERSION

    assert [*range(1, VERSION + 1)] == VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_is_what_was_saved(version, rng):
    folder = FOLDERS / f"version_{version}"
    assert json.loads((folder / "config.json").read_text())["version"] == version
    saved = load(folder)
    expected = make_model(version)
    expected.set_weights(numbers([w.shape for w in expected.get_weights()]))
    for variable, value in zip(saved.model.variables, expected.get_weights(), strict=True):
        np.testing.assert_array_equal(variable.numpy(), value, err_msg=variable.path)
    x = rng.normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_array_equal(saved.model.predict(x, verbose=0), expected.predict(x, verbose=0))
    assert (saved.classes, saved.training) == (CLASSES, TRAINING)
    assert saved.preprocessing == PREPROCESSING
    if version > 2:
        seeds = json.loads((folder / "config.json").read_text())["seeds"]
        assert saved.model.get_layer("drop")._drawn_seed == seeds["drop"]
    if version > 3:
        assert int(saved.model.optimizer.iterations) == 6
        expected = json.loads((folder / "next.json").read_text())
        found = train(saved.model)
        assert found.keys() == expected.keys()
        for name, values in expected.items():  # by another instruction set, perhaps
            np.testing.assert_allclose(found[name], values, rtol=1e-5)


@pytest.mark.parametrize("version", VERSIONS)
def test_saving_over_it_writes_the_newest(version, tmp_path, rng):
    shutil.copytree(FOLDERS / f"version_{version}", tmp_path / "model")
    saved = load(tmp_path / "model")
    saved.model.compile("adam", "mse")
    x = rng.normal(size=(8, 4)).astype(np.float32)
    saved.model.fit(x, np.zeros((8, 3)), verbose=0)
    save(saved.model, tmp_path / "model", classes=saved.classes)
    kinds = [path.name.partition("-")[0] for path in (tmp_path / "model").iterdir()]
    assert sorted({*kinds} - {"next.json"}) == ["config.json", "state", "weights"]
    assert len(kinds) == 3 + ("next.json" in kinds)
    again = load(tmp_path / "model")
    assert again.classes == CLASSES
    histories = [
        each.fit(x, np.zeros((8, 3)), verbose=0).history for each in (saved.model, again.model)
    ]
    assert histories[0] == histories[1]


@pytest.mark.parametrize("version", VERSIONS)
def test_an_entry_of_a_later_version_is_none(version, tmp_path):
    """What an earlier version does not know is refused there, and not looked over."""
    shutil.copytree(FOLDERS / f"version_{version}", tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    config = json.loads(path.read_text())
    config.pop("sha256", None)
    path.write_text(json.dumps({**config, "later": 1}))
    with pytest.raises(ValueError, match="has an entry 'later', which is not known"):
        load(tmp_path / "model")
