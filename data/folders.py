"""Which files of a folder hold rows, and of which split, by the layouts that the hub knows."""

from __future__ import annotations

import re
from pathlib import Path

from data.errors import InputError, did_you_mean, shown

KINDS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
    ".ndjson": "jsonl",
    ".ndjson.gz": "jsonl",
    ".json": "json",
    ".json.gz": "json",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".npy": "npy",
}
EXPECTED = "Expected parquet, jsonl, csv, json or npy files (jsonl, csv and json also as .gz)."
# Files of a data set's folder that describe it and hold no rows.
DESCRIPTIONS = {"config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"}
_SHARDED = re.compile(r"(?P<split>.+)-\d{5}-of-\d{5}.*")


def find_files(folder: Path, split: str | None = None) -> list[Path]:
    """The data files of a folder, or of one of its splits, sorted.

    Raises:
        InputError: No data files, an unknown split, or several splits and none chosen.
    """
    plain, splits = _contents(folder)
    if split is None:
        if not plain and len(splits) == 1:
            return next(iter(splits.values()))
        if not plain and splits:
            raise InputError(f"{folder} has several splits: choose one with --split. {did_you_mean('', splits)}")
        if not plain:
            present = ", ".join(map(shown, visible_names(folder)[:20])) or "nothing"
            raise InputError(f"{folder} has no data files; it holds {present}. {EXPECTED}")
        return sorted(plain)
    splits = find_splits(folder)
    if split not in splits:
        raise InputError(f"{folder} has no split {shown(split)}. {did_you_mean(split, splits)}")
    return splits[split]


def find_splits(folder: Path) -> dict[str, list[Path]]:
    """The splits of a folder by their names: sharded files, one file a split, one folder a split."""
    plain, splits = _contents(folder)
    for path in plain:
        splits.setdefault(path.name[: -len(suffix(path))], []).append(path)
    return {name: sorted(files) for name, files in sorted(splits.items())}


def _contents(folder: Path) -> tuple[list[Path], dict[str, list[Path]]]:
    """Files whose place names no split (in the folder or its `data`), and files by the split it names."""
    plain: list[Path] = []
    splits: dict[str, list[Path]] = {}
    places = [folder, folder / "data"] if (folder / "data").is_dir() else [folder]
    for place in places:
        for path in sorted(place.iterdir()):
            if path.name.startswith((".", "_")) or path.name in DESCRIPTIONS:
                continue
            if path.is_dir() and not suffix(path):
                inside = [p for p in sorted(path.iterdir()) if suffix(p) and not p.name.startswith((".", "_"))]
                if inside and path not in places:
                    splits.setdefault(path.name, []).extend(inside)
            elif suffix(path):
                sharded = _SHARDED.fullmatch(path.name)
                if sharded:
                    splits.setdefault(sharded["split"], []).append(path)
                else:
                    plain.append(path)
    return plain, {name: sorted(files) for name, files in splits.items()}


def visible_names(folder: Path) -> list[str]:
    """What a folder holds, hidden files left out, sorted."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def suffix(path: Path) -> str:
    """The suffix that says the kind, `` where there is none."""
    return next((suffix for suffix in sorted(KINDS, key=len, reverse=True) if path.name.endswith(suffix)), "")
