"""Measurements of napari-scope beside its peers and the raw limits of the machine.

``python -m benchmarks`` runs all of them, ``python -m benchmarks stream`` one. They are
no tests: nothing here fails because a machine is slow.
"""
