"""What one asks of a trace beside its numbers: why, how far from another, what is wrong, what it costs."""
