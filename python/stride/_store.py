"""Trajectory stores: whole runs, to learn from."""

from __future__ import annotations

from typing import Any, Iterable, Optional

import torch

from . import _stride


class Store:
    """Recorded trajectories, open for reading; every shard's checksum is verified first.

    A row has x [K, ...], the states at the levels `sigmas`, and denoised [K - 1, ...], the first evaluation of each step.
    """

    def __init__(self, folder: str) -> None:
        self._store = _stride.TrajectoryStore(str(folder))

    @classmethod
    def of(cls, store: "_stride.TrajectoryStore") -> "Store":
        out = cls.__new__(cls)
        out._store = store
        return out

    def __len__(self) -> int:
        return len(self._store)

    def __reduce__(self) -> Any:
        return (Store, (self.folder,))

    @property
    def folder(self) -> str:
        return self._store.folder

    @property
    def files(self) -> list[str]:
        """Its shards: plain HDF5, that h5py opens."""
        return self._store.files

    @property
    def seeds(self) -> list[int]:
        """Of every row."""
        return self._store.seeds

    @property
    def sigmas(self) -> torch.Tensor:
        """float64 [K]; empty where each trajectory has its own."""
        return torch.tensor(self._store.sigmas, dtype=torch.float64)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._store.shape)

    @property
    def solver(self) -> str:
        return self._store.solver

    @property
    def settings(self) -> dict[str, str]:
        return self._store.settings

    def rows(self, rows: Iterable[int]) -> dict[str, torch.Tensor]:
        """Copies of these rows, each tensor with the rows in front: x, denoised, sigma, seed, nfe, status."""
        return self._store.batch([int(row) for row in rows])

    def dataset(self, ok: bool = True) -> "StoreDataset":
        """For torch.utils.data: trajectories by number; `ok`: those that ended well alone."""
        return StoreDataset(self, ok)

    def __repr__(self) -> str:
        return f"Store({self.folder!r}: {len(self)} trajectories of {self.solver}, {len(self.sigmas)} levels, {self.shape})"


class StoreDataset(torch.utils.data.Dataset):
    """A store for DataLoader: a trajectory is a dict of tensors. Workers open the store anew, forked or spawned."""

    def __init__(self, store: Store, ok: bool = True) -> None:
        self._folder = store.folder
        self._rows = store._store.ok_rows if ok else list(range(len(store)))
        self._store: Optional[Store] = store

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_store": None}

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {name: value[0] for name, value in self._open().rows([self._rows[index]]).items()}

    def __getitems__(self, indices: list[int]) -> list[dict[str, torch.Tensor]]:
        batch = self._open().rows([self._rows[index] for index in indices])
        return [{name: value[i] for name, value in batch.items()} for i in range(len(indices))]

    def _open(self) -> Store:
        if self._store is None:
            self._store = Store(self._folder)
        return self._store
