"""The seal of a folder of record: ``chain.jsonl``, one line per file, each bound to the one before.

A line says what a file's SHA-256 was, and its ``link`` is the SHA-256 of the link before it, the file's name and that
sum. The last link, the head, therefore stands for every byte of the folder. What can be made anew from the rest (the
pages) and the chain itself are not covered; a folder inside that has a chain of its own is covered by that chain.

There is no key. Who changes a file and writes the whole chain anew is not found out by the chain, only by the head, if
somebody noted it elsewhere. Without that it finds damage, carelessness, and edits that stop short of it.
"""

from workbench.chain.check import Break, beside, check
from workbench.chain.files import FILE
from workbench.chain.write import head, write

__all__ = ["FILE", "Break", "beside", "check", "head", "write"]
