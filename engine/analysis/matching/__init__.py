"""Somebody else's tensors matched to our stages: by a map, by name, by their numbers.

`map_file` reads and writes a map, `names` knows what others call a stage, `layouts` how an array may hold its numbers, `samples` compares a
few of them, `by_value` goes along the program, `match` puts it together, `told` writes down how each was matched.
"""

from .map_file import read_map, write_map
from .match import match_tensors, match_trace
from .told import write_matches

__all__ = ["match_tensors", "match_trace", "read_map", "write_map", "write_matches"]
