"""Running notebooks: each in a kernel of its own that never outlives the runner, with a reason for every ending.

`workbench.execute.many.execute` runs jobs, `folder` makes the place for what they leave, `ending` says how they ended.
(Nothing is imported here: the kernel's program lives in this package, too, and starts the sooner for it.)
"""
