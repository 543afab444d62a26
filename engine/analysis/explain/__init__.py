"""What each stage does and why it is there, in English and Chinese: texts as data, filled with a run's own sizes.

    page = explain_stage(run, "layers.0.attention.scores", (0, 1, 3, 5), "zh")
    print(write_page(page))

To add a text, add an entry to one of the TOML files here, both languages side by side:

    ["layers.*.attention.scores"]
    en.title = "Attention scores"
    en.what = "What the stage does; {heads}, {hidden}, {in}, {out} and the op's own options are filled in."
    en.why = "Why it is there."
    zh.title = ...

The key is a glob of stage names, or several with `|` between them; the one with the most letters of its own wins.
`@Kind` after it narrows it to one kind of operation, `:first` to the first stage of its block (a norm before the block).
A key that is the name of an operation's class (`[Softmax]`) serves every stage of that kind that has no text by name.
Both kinds of entry may have `worked`, how one number is worked out (`worked.py` says from what), and an operation's may have
`formulas`, pairs of its formula in English, as `Op.write` writes it, and in Chinese. `lacks(program)` lists what is missing;
`tests/engine/test_explanations.py` holds that it is nothing.
"""

from .check import lacks
from .formulas import formulas
from .page import StagePage, explain_stage, write_page
from .texts import StageText, stage_text

__all__ = ["StagePage", "StageText", "explain_stage", "formulas", "lacks", "stage_text", "write_page"]
