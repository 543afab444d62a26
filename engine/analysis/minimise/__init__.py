"""The least that still shows a difference: the fewest texts, the shortest of them, the fewest weights.

`ddmin` leaves out what is not needed, `spans` cuts a text to some of its tokens.
"""
