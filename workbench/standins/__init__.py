"""Stand-ins: programs that play what nobody can run here, each named as one in the evidence.

Like the reference system they are started as processes (``python -m workbench.standins.github``), import nothing of
the workbench and are imported by nobody.
"""
