# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training recipes: what can be chosen, in which range, and what each key means.

A recipe is a YAML file whose keys are exactly the fields of the data classes here; an unknown or
a missing key, a wrong type and a contradiction are errors that name the key. Where the published
models differ from the paper's text, a key chooses between them and says which is which.
"""
