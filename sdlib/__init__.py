"""sdlib: data sets, models, the spectral decoupling loss and metrics behind the book."""

__version__ = "0.1.0"
__all__ = ["__version__"]
