"""The experiment ``cutout`` in tables and figures."""
