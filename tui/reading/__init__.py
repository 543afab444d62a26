"""What runs on the engine's thread, and nowhere else: it reads the session and hands over what is small and frozen."""
