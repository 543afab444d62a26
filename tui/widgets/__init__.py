"""Widgets: the parts that panes are made of."""
