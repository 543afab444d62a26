"""Tokenizers from the files of a model directory, as transformers would make them."""
