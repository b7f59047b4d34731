"""Papermill's own machinery on a kernel that is already starting: parameters, cells, timing, one file at the end.

Importing this costs half a second: do it while a kernel starts, inside `workbench.report.imports.direct`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import nbformat
from jupyter_core.utils import ensure_event_loop, run_sync
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat.v4 import new_output
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NotebookExecutionManager
from papermill.execute import prepare_notebook_metadata, remove_error_markers
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from workbench.execute import reasons
from workbench.execute.channels import START_TIMEOUT_S, Manager
from workbench.execute.ending import Failure, Job
from workbench.execute.kernel import Kernel
from workbench.history import whole
from workbench.learned import Ear
from workbench.redact import MASK, Redactor, is_secret_name

SAVE_EVERY_S = 5.0
GRACE_S = 10.0
"""How long an interrupted cell may take to heal and to keep its record."""
SHUTDOWN_S = 5.0

Tell = Callable[[dict[str, Any]], None]


def run_notebook(job: Job, kernel: Kernel, *, cell_timeout_s: float, ear: Ear, tell: Tell) -> Failure | None:
    """Execute every cell; the executed notebook is kept in ``job.folder`` whatever happens. ``None``: all cells ran.

    ``ear`` hears which secrets the kernel makes, so that they are not kept.
    """
    notebook = load_notebook_node(str(job.path))
    if job.parameters:
        notebook = parameterize_notebook(notebook, dict(job.parameters), kernel_name="python3", language="python")
    notebook = prepare_notebook_metadata(notebook, job.path.name, "notebook.ipynb")
    manager = _Keeper(remove_error_markers(notebook), job, ear=ear, tell=tell)
    manager.notebook_start()
    client = _Client(manager, kernel, cell_timeout_s=cell_timeout_s)
    try:
        client.execute()
    except _Ended as ended:
        return ended.failure
    except RuntimeError as error:  # of the client: the kernel never answered
        if kernel.stopping:
            return reasons.interrupted(where="the first moments of its kernel")
        return reasons.died(kernel, where=f"its first moments ({error})")
    finally:
        try:
            client.shut_down()
            manager.notebook_complete()
        finally:
            _close(ensure_event_loop())  # made for this thread by the client
    return None


class _Keeper(NotebookExecutionManager):  # type: ignore[misc]
    """Keeps the notebook on disk without writing it anew for every cell, and without secrets."""

    def __init__(self, notebook: Any, job: Job, *, ear: Ear, tell: Tell) -> None:
        self._job, self._ear, self._tell = job, ear, tell
        self._heading, self._saved = "", 0.0
        super().__init__(notebook, progress_bar=False, autosave_cell_every=SAVE_EVERY_S)

    def save(self, **_: Any) -> None:
        if time.monotonic() - self._saved < SAVE_EVERY_S and self.end_time is None:
            return
        self._ear.hear()
        clean = Redactor.known(self._job.parameters).tree(self.nb)
        for cell in clean["cells"]:
            if "injected-parameters" in cell["metadata"].get("tags", ()):
                cell["source"] = "\n".join(map(_masked, cell["source"].splitlines()))
        whole.write(self._job.folder / "notebook.ipynb", _text(clean))
        self._saved = time.monotonic()
        self.last_save_time = self.now()

    def cell_start(self, cell: Any, cell_index: int | None = None, **options: Any) -> None:
        super().cell_start(cell, cell_index, **options)
        if cell.cell_type == "markdown":
            titles = [line.lstrip("# ") for line in cell.source.splitlines() if line.startswith("#")]
            self._heading = titles[0] if titles else self._heading
        else:
            self._tell({"event": "cell", "index": cell_index, "of": len(self.nb.cells), "phase": self._heading})

    def where(self, index: int) -> str:
        code = [i for i, cell in enumerate(self.nb.cells) if cell.cell_type == "code"]
        number = sum(i <= index for i in code)
        place = f"code cell {number} of {len(code)}" if number else "the prose before the first code cell"
        return f"{place} (“{self._heading}”)" if self._heading else place


class _Ended(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


class _Client(PapermillNotebookClient):  # type: ignore[misc]
    """Executes the cells on a kernel that it neither starts nor owns."""

    def __init__(self, manager: _Keeper, kernel: Kernel, *, cell_timeout_s: float) -> None:
        super().__init__(
            manager,
            km=Manager(kernel),
            timeout_func=lambda cell: cell_timeout_s,  # unlike `timeout`, not in whole seconds
            startup_timeout=START_TIMEOUT_S,
            iopub_timeout=30,
            coalesce_streams=True,
        )
        self.kernel = kernel
        self._cell_timeout_s, self._overdue = cell_timeout_s, False
        self.log.disabled = True  # what it logs on the way down is said once, and better, by the reason

    def papermill_execute_cells(self) -> None:
        for index, cell in enumerate(self.nb.cells):
            if self.kernel.stopping:
                raise _Ended(reasons.interrupted(where=self.nb_man.where(index)))
            self.nb_man.cell_start(cell, index)
            try:
                self.execute_cell(cell, index)
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                failure = self._failure(error, index)
                if not any(output.output_type == "error" for output in cell.outputs):
                    cell.outputs.append(_error(failure))
                self.nb_man.cell_exception(cell, cell_index=index)
                raise _Ended(failure) from error
            finally:
                self.kernel.busy(busy=False)
                self.nb_man.cell_complete(cell, cell_index=index)

    def process_message(self, message: Any, cell: Any, index: int) -> Any:
        if message["msg_type"] == "execute_input":
            self.kernel.busy(busy=True)
        return super().process_message(message, cell, index)

    def _failure(self, error: Exception, index: int) -> Failure:
        where = self.nb_man.where(index)
        if self.kernel.stopping:
            return reasons.interrupted(where=where, killed=isinstance(error, DeadKernelError))
        if isinstance(error, CellExecutionError):
            return reasons.raised(error.ename, error.evalue, where=where)
        if isinstance(error, DeadKernelError):
            return reasons.died(self.kernel, where=where)
        self._overdue = True
        return reasons.overdue(self._cell_timeout_s, where=where)

    async def _shut_down(self) -> None:
        if self.kc is None:
            return
        if self._overdue:
            self.kernel.interrupt()
            with contextlib.suppress(TimeoutError):  # a kernel answers between cells only: then this one has healed
                await self.kc._async_recv_reply(self.kc.kernel_info(), timeout=GRACE_S)
        if self.kernel.alive:
            self.kc.shutdown()
            await asyncio.to_thread(self.kernel.wait, SHUTDOWN_S)
        self.kc.stop_channels()

    shut_down = run_sync(_shut_down)
    """Let an overdue cell heal, and the kernel say goodbye."""


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """Also what the client left waiting there when it broke off, of which asyncio would complain to whoever watches."""
    if waiting := asyncio.all_tasks(loop):
        for task in waiting:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*waiting, return_exceptions=True))
    loop.close()


def _error(failure: Failure) -> Any:
    made: Any = new_output  # untyped
    return made("error", ename=failure.ename, evalue=failure.text, traceback=[failure.text])


def _text(notebook: dict[str, Any]) -> str:
    library: Any = nbformat  # untyped
    return str(library.writes(library.from_dict(notebook)))


def _masked(line: str) -> str:
    name, equals, _ = line.partition(" = ")
    return f'{name} = "{MASK}"' if equals and is_secret_name(name) else line
