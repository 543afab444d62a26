"""What can be wrong with a value, and by which stage it shows first."""
