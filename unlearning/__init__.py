"""Unlearning methods by name. Adding one is one file that defines a `Method`, and one line here."""

from __future__ import annotations

from unlearning.demem import DEMEM
from unlearning.demem_grpo import DEMEM_GRPO
from unlearning.gradient_ascent import GRADIENT_ASCENT
from unlearning.method import Method

METHODS: dict[str, Method] = {method.name: method for method in (DEMEM, DEMEM_GRPO, GRADIENT_ASCENT)}
