"""A `torch.nn.TransformerEncoder` given as an object."""
