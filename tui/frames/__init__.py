"""Pictures of values, made on the engine's thread and small enough to hand to the screen."""
