"""Sequential specifications: what a register, a counter, a set, a queue or a store answers when asked one at a time.

Adding a model is one file with one class that satisfies `Model`, and a line in `named`; a stranger's object is handed
to a checker as it is.
"""

from workbench.models.cas_register import CasRegister
from workbench.models.counter import Counter
from workbench.models.kv import KeyValue
from workbench.models.model import IMPOSSIBLE, Act, Model, State
from workbench.models.named import MODELS, by_name
from workbench.models.queue import Queue
from workbench.models.register import Register
from workbench.models.set import Set

__all__ = [
    "IMPOSSIBLE",
    "MODELS",
    "Act",
    "CasRegister",
    "Counter",
    "KeyValue",
    "Model",
    "Queue",
    "Register",
    "Set",
    "State",
    "by_name",
]
