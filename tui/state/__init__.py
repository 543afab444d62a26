"""What the screen shows and what it knows: frozen values, and functions from one to the next."""
