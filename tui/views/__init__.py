"""Pictures of a value, one file a view."""
