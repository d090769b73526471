"""Phase reconstruction: magnitudes from mel bands, and phases by projections (Griffin-Lim)."""
