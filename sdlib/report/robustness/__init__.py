"""The experiment ``robustness`` in tables and figures."""
