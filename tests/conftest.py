# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Put the repository on the import path, so that tests share `tests.fakes`; heed SIGINT."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

_ROOT = str(Path(__file__).resolve().parent.parent)
if _ROOT not in sys.path:
    sys.path.insert(0, _ROOT)

# Compiled networks, fonts and the like go into the checkout, not into the user's home.
os.environ['XDG_CACHE_HOME'] = str(Path(_ROOT) / '.ros' / 'cache')

# A shell has what it starts in the background ignore SIGINT, and processes that tests start
# inherit that: their interrupts would go unheard.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
