"""A cursor over a trace, what stops it, and what-ifs."""
