"""Keys and values of many sequences in one block of memory, of which some go on while the others wait.

`DynamicCache` copies everything whenever it grows, and knows only one set of sequences. Here memory is set aside once,
and a pass can extend any of the sequences.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer


@dataclass
class _Pass:
    """What all layers have to know of the next pass; apart from the cache, so that nothing refers to itself."""

    length: int
    going: slice | Tensor


class SlotCache(Cache):
    """A cache with one slot a sequence."""

    def __init__(self, slots: int, capacity: int) -> None:
        """Sets memory aside at the first pass, when the model's shapes are known.

        Args:
            slots: How many sequences.
            capacity: The most positions of each.
        """
        self._pass = _Pass(0, slice(None))
        super().__init__(layer_class_to_replicate=partial(_SlotLayer, self._pass, slots, capacity))
        self._capacity = capacity

    def extend(self, going: slice | Tensor, length: int) -> SlotCache:
        """Says what the next pass extends; its rows are the slots in this order.

        Args:
            going: A slice, which costs nothing, or int64 [n], for which keys and values are gathered. A slice ends
                after as many slots as the pass has rows.
            length: How many positions each of them holds.

        Returns:
            The cache itself.
        """
        self._pass.going, self._pass.length = going, length
        return self

    def reordered(self, order: Tensor) -> SlotCache:
        """The next pass with some of its rows in another order, or more than once: int64 [n], their indices."""
        going = self._pass.going
        self._pass.going = order + (going.start or 0) if isinstance(going, slice) else going[order]
        return self

    def parts(self, rows: int, groups: int) -> Iterator[SlotCache]:
        """The next pass in several, each of which extends some of the slots.

        Args:
            rows: How many rows the pass would have.
            groups: How many passes instead; as `Tensor.tensor_split` would cut the rows.

        Yields:
            The cache itself, set for the next of them.
        """
        going, length = self._pass.going, self._pass.length
        if isinstance(going, slice):
            going = torch.arange(rows) + (going.start or 0)
            pieces = [slice(int(part[0]), int(part[-1]) + 1) for part in going.tensor_split(groups)]
        else:
            pieces = going.tensor_split(groups)
        for piece in pieces:
            yield self.extend(piece, length)

    @property
    def bytes_a_position(self) -> int:
        """What one position of one slot takes, all layers together."""
        sides = [side for layer in self.layers for side in (layer.keys, layer.values)]
        return sum(side[0, :, 0].numel() * side.element_size() for side in sides)

    def like(self, slots: int) -> SlotCache:
        """Memory for other sequences of the same model, set aside at once."""
        other = SlotCache(slots, self._capacity)
        for layer in self.layers:
            other.layers.append(other.layer_class_to_replicate())
            other.layers[-1].set_aside(layer.keys[:1], layer.values[:1])
        return other

    def copy_from(self, source: SlotCache, rows: Tensor, first: int, length: int) -> None:
        """Takes over the first positions of some slots of another cache.

        Args:
            source: The other.
            rows: int64 [m], its slots.
            first: They become the slots from this one on.
            length: How many positions.
        """
        for own, other in zip(self.layers, source.layers, strict=True):
            for mine, its in ((own.keys, other.keys), (own.values, other.values)):
                mine[first : first + len(rows), :, :length] = its[:, :, :length].index_select(0, rows)

    def keep(self, chosen: Tensor, length: int) -> None:
        """Moves some slots to the front.

        Args:
            chosen: int64 [m], in the order they are to have.
            length: How many positions they hold.
        """
        self.copy_from(self, chosen, 0, length)


class _SlotLayer(DynamicLayer):
    """Keys and values [slots, heads, capacity, width] of one layer."""

    def __init__(self, coming: _Pass, slots: int, capacity: int) -> None:
        super().__init__()
        self._pass = coming
        self._slots, self._capacity = slots, capacity

    def set_aside(self, keys: Tensor, values: Tensor) -> None:
        """Memory for keys and values of the shape of these."""
        self.keys, self.values = (
            side.new_empty(self._slots, side.shape[1], self._capacity, side.shape[3]) for side in (keys, values)
        )
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.set_aside(key_states, value_states)
        going, start = self._pass.going, self._pass.length
        stop = start + key_states.shape[2]
        if isinstance(going, slice):
            first = going.start or 0
            going = slice(first, first + len(key_states))
        for side, new in ((self.keys, key_states), (self.values, value_states)):
            side[going, :, start:stop] = new
        return tuple(_gathered(side[:, :, :stop], going) for side in (self.keys, self.values))

    def get_seq_length(self) -> int:
        return self._pass.length

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self._pass.length + query_length, 0


def _gathered(side: Tensor, going: slice | Tensor) -> Tensor:
    return side[going] if isinstance(going, slice) else torch.index_select(side, 0, going)
