"""Coloured digits: the best-known result of spectral decoupling, rebuilt and taken apart."""
