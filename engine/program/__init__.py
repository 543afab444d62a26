"""What is walked, without torch: stages, programs, values one reads windows of, and how people name and read them."""
