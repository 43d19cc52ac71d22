# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The model in use, which may be loaded anew while the node runs."""

from __future__ import annotations

import threading
from collections.abc import Callable

from upsnet_ros.node.engine import Engine


class EngineSlot:
    """Holds one engine: loaded and closed by the executor's thread, reloaded by the worker's.

    Args:
        load: loads an engine.
        tune: sets what may change while an engine is in use to what holds now.

    Raises:
        UpsnetError: the model cannot be loaded.
    """

    def __init__(
        self, load: Callable[[], Engine], *, tune: Callable[[Engine], None] = lambda engine: None
    ) -> None:
        self._load = load
        self._tune = tune
        self._lock = threading.Lock()
        self._generation = 0
        self._engine = load()
        self._reloading: int | None = None  # of which generation the thread is that loads
        self._reloads = 0
        tune(self._engine)

    @property
    def engine(self) -> Engine:
        """The engine in use; the last one also after `close`."""
        return self._engine

    @property
    def is_reloading(self) -> bool:
        """True while the model is loaded anew."""
        return self._reloading is not None

    @property
    def reloads(self) -> int:
        """How often it was loaded anew."""
        return self._reloads

    def tune(self) -> None:
        """Has the engine in use follow what holds now; also one that is put in place meanwhile."""
        with self._lock:
            self._tune(self._engine)

    def reload(self) -> None:
        """Loads the model anew, after the old one was closed: there may be no memory for both.

        Raises:
            UpsnetError: it cannot be loaded; the closed one stays.
        """
        with self._lock:
            old, generation = self._engine, self._generation
            self._reloading = generation
        try:
            old.pipeline.close()
            new = self._load()
        finally:
            with self._lock:
                if self._reloading == generation:  # else another thread loads by now
                    self._reloading = None
        with self._lock:
            is_wanted = generation == self._generation
            if is_wanted:
                self._engine = new
                self._reloads += 1
                self._tune(new)  # what changed while it was loaded went to the old one
        if not is_wanted:
            new.pipeline.close()

    def disown(self) -> None:
        """A thread that hangs is given up: what it loads, should it ever end, is closed."""
        with self._lock:
            self._generation += 1
            self._reloading = None

    def close(self) -> None:
        """Frees the model, and one that is being loaded when that ends; may be called again."""
        with self._lock:
            self._generation += 1
        self._engine.pipeline.close()
