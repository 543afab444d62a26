"""Fuzzes: input that nobody would write, made by the structure of what is read, and what may come of it.

    python -m tests fuzz --n 10000 --seed S             snapshots, folders and command lines
    python -m tests fuzz folders --seed S --only K      one case again

A case is a recipe, a small JSON value; `snapshots`, `folders` and `lines` each know how to draw one, and how to build and run it.
Cases run in a process of their own (`worker`), which may die of them, and are judged by `judge`. A recipe that fails is kept in
`finds/` and run again with every run of the tests.
"""
