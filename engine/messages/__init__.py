"""What people are told, and how it reaches a terminal unharmed and without harm."""
