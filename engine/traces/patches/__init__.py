"""Changes put by hand upon what a stage computes."""
