"""How large values are, known or narrowed down without reading every number."""
