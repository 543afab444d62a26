"""What a test of somebody's encoder asks: `from encoder_tui.testing import assert_same`.

It lies in the namespace itself, beside `__main__`, since a test is no part of the engine that is tested with; nothing of it is registered
with pytest, and nothing is imported before it is called.
"""

from encoder_tui.engine.commands.assertion import assert_same

__all__ = ["assert_same"]
