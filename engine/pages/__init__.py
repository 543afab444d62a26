"""HTML: what a notebook shows of a value, a run, an explanation and a comparison, and whole walks as files.

Texts become markup in one place (`markup`), which escapes them: whoever writes a page cannot forget it.
"""
