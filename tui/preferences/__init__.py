"""What a person keeps from session to session: choices, keys, a file of first commands, what was typed."""
