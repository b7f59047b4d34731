"""The stack: the services of one experiment, started in dependency order, stopped always, reached through links.

stack = Stack("redis", app={"deadline_s": 0.5}).start()
stack["redis"].pause()
with stack.under(Partition("app", "redis")): ...
stack["app"].scale(2)
stack.stop()

group = Stack(redis={"replicas": 2, "sentinels": 3}).start()
group.primary() → "redis"
"""

from workbench.runtimes.death import Death
from workbench.runtimes.running import Running
from workbench.stack.inflicted import Fault, Inflicted, Role
from workbench.stack.stack import Stack

__all__ = ["Death", "Fault", "Inflicted", "Role", "Running", "Stack"]
