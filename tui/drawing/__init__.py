"""Numbers, colours and cells on their way to segments of a line; nothing here knows a stage."""
