"""As if this package were not installed: see conftest.py."""

raise ImportError
