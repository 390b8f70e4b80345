"""From tables and pictures to what a network takes: columns become numbers by rules fitted on training rows alone.

    table = pl.io.read_csv("houses.csv")                       # or pl.data.Table({"rooms": [3, 4], "town": ["a", None]})
    target = pl.data.fit_target(table, "price")
    training, held_out = pl.data.split(len(table), 0.2, seed=0)
    preprocessing = pl.data.fit_preprocessing(table, target, training)
    x, y = preprocessing.encode(table, training), pl.data.encode_target(target, table, training)

pl.fit_table does all of this, and trains.
"""

from ._core.data import (  # noqa: F401
    Column, PicturePreprocessing, Pictures, PictureSet, Preprocessing, Table, Target, decode_predictions, encode_target,
    fit_pictures, fit_preprocessing, fit_target, folds, guess_target, guess_task, labelled_rows, read_images,
    read_pictures, split,
)

__all__ = [n for n in globals() if not n.startswith("_")]
