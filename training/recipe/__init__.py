# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training recipes: what can be chosen, in which range, and what each key means.

A recipe is a YAML file whose keys are the fields of the data classes here; an unknown key, a
missing one, a wrong type and a contradiction are errors that name the key. A field with a default
may be left out: its default says that something is off. What is on must be whole: a field made by
:func:`training.recipe.errors.detail` may be missing only where nothing asks for it. Where the
published models differ from the paper's text, a key chooses between them and says which is which.
"""
