"""``python -m workbench.driver``: one driver process."""

from workbench.driver.process import main

main()
