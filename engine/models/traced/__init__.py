"""Anybody's `nn.Module`, watched while it computes: what it did becomes a graph, a recording, or a program to be walked."""
