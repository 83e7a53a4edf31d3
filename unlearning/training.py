"""What happens around a method's iterations: evaluation, stop rules, log, saving, Ctrl-C, and going on from a save.

In the folder of an unlearning:

    training.jsonl   a record an iteration, on the disk before the iteration counts as done
    state/           the last save, see `unlearning/state.py`
    tensorboard/     the same records, where tensorboard is installed

With several processes all of them call everything here; the main one writes, and all take the same decisions.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import torch

from unlearning import state as saves
from unlearning.ctrl_c import CtrlC
from unlearning.evaluation import EL_N, forgetting, recitation
from unlearning.log import TrainingLog
from unlearning.method import NonFiniteError, State, Task, UnlearningError
from unlearning.policy import Policy

STOPS = ("extractable", "forgotten", "steps")
_RETAIN_ROWS = 128  # a look at what happens to benign memory, not a measurement of it


class TrainingFolder:
    """Follows a method's training and keeps it in a folder. A context: Ctrl-C is held back inside it.

    Attributes:
        start: Iterations that were done before; 0, or as many as the resumed run had saved.
        stopped: Why the training ended, in words; empty as long as it goes on. A resumed run that had ended says so
            from the start: there is nothing left to train.
        records: What training.jsonl holds, of the iterations before `start`, too.
    """

    def __init__(
        self,
        folder: Path,
        policy: Policy,
        task: Task,
        *,
        iterations: int,
        stop: str,
        save_every: int,
        show: Callable[[Mapping[str, Any]], None] | None = None,
        resume: bool = False,
    ) -> None:
        """Opens the folder; without `resume` whatever it holds of an earlier training is removed.

        Args:
            folder: Made if it is not there.
            policy: The original model with nothing trained yet; a resumed run's weights are loaded into it.
            task: The rows to be watched.
            iterations: The most there will be.
            stop: `extractable`: when no forget row is extractable any more. `forgotten`: when EL_10 and MA of the
                forget rows are no higher than those of the unseen rows under the original model (Jang et al. 2023,
                equations 5 and 6). `steps`: after all iterations.
            save_every: Iterations between two saves.
            show: Called with every record, on the main process.
            resume: Go on from the last save in the folder, if there is one.

        Raises:
            UnlearningError: A stop rule that does not fit the rows, or a save that does not fit the model.
            DiskError: The folder can't be written to.
        """
        self._check(stop, task)
        self.stopped = ""
        self.records: list[dict[str, Any]] = []
        self._policy, self._task, self._iterations, self._stop = policy, task, iterations, stop
        self._save_every, self._show = save_every, show
        self._log, self._state = TrainingLog(folder), folder / "state"
        self._retained = task.retain_benign[:: max(1, math.ceil(len(task.retain_benign) / _RETAIN_ROWS))]
        self._unsaved: tuple[int, Callable[[], State]] | None = None
        self._ctrl_c = CtrlC(speaks=policy.rank == 0)
        self._clock = time.monotonic()

        self._saved = saves.load(self._state) if resume else None
        self.start = self._saved.iteration if self._saved else 0
        self._unseen: list[float] | None = None
        if self._saved:
            self._take_up(self._saved)
        policy.on_main(self._open)

    @staticmethod
    def _check(stop: str, task: Task) -> None:
        if stop not in STOPS:
            raise UnlearningError(f"there is no stop rule {stop!r}: type --stop {', '.join(STOPS)}")
        if stop != "forgotten":
            return
        if not len(task.unseen):
            raise UnlearningError(
                "--stop forgotten compares with text that the model was not trained on, and the run has none: type "
                "--stop extractable or --stop steps"
            )
        if task.forget.shape[1] <= EL_N:
            raise UnlearningError(
                f"--stop forgotten needs EL_{EL_N}, which sequences of {task.forget.shape[1]} tokens do not have: type "
                "--stop extractable or --stop steps"
            )

    def _take_up(self, saved: saves.Saved) -> None:
        world = len(saved.random["cpu"])
        if world != self._policy.world:
            raise UnlearningError(
                f"the saved state is of {world} processes, this is one of {self._policy.world}: launch {world} to "
                "resume, or start anew without --resume"
            )
        self._policy.load_weights(saved.weights)
        self.stopped, self._unseen = saved.counters["stopped"], saved.counters["unseen"]
        self.records = self._log.read(self.start)

    def _open(self) -> None:
        """Leaves of an earlier training what is gone on from."""
        if self.start == 0:
            saves.clear(self._state)
        self._log.open(self.records)

    @property
    def resumed(self) -> State | None:
        """What the method handed over at the last save, or None where training starts anew.

        Reading it also puts torch's global generators back to where they were then. So a method reads it last, after
        everything that draws a number, and before its first iteration.
        """
        if self._saved is None:
            return None
        # Cloned: torch reads such a state from the beginning of its storage, wherever the view of it begins.
        own = {kind: states[self._policy.rank].clone() for kind, states in self._saved.random.items()}
        torch.set_rng_state(own["cpu"])
        if "cuda" in own and self._policy.device.type == "cuda":
            torch.cuda.set_rng_state(own["cuda"], self._policy.device)
        return self._saved.state

    def __enter__(self) -> Self:
        self._ctrl_c.hold_back()
        self._clock = time.monotonic()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        try:
            if error is None:
                done = self.records[-1]["iteration"] if self.records else 0
                self.stopped = self.stopped or f"the method had nothing more to do after {done} iterations"
                if self._unsaved is not None:
                    self._save(*self._unsaved)
        finally:
            self._ctrl_c.let_through()
            self._log.close()
        if isinstance(error, NonFiniteError) and not isinstance(error, _NotFiniteError):
            raise _NotFiniteError(self._not_finite(str(error), len(self.records) + 1)) from error
        if error is None and self._is_pressed():
            raise KeyboardInterrupt

    def iteration(self, number: int, figures: Mapping[str, float], state: Callable[[], State]) -> bool:
        """Takes note of a finished iteration; see `unlearning.method.Training`.

        Raises:
            NonFiniteError: A figure is not a finite number; nothing of this iteration is kept.
            DiskError: The log or the state can't be written; the save before stays.
            KeyboardInterrupt: Ctrl-C was pressed during the iteration, which is saved.
        """
        task = self._task
        record: dict[str, Any] = {"iteration": number, **figures}
        record["forget_extractable"], record["forget_accuracy"] = recitation(
            self._policy, task.forget, task.prefix_tokens, task.eos_token_ids
        )
        if len(self._retained):
            record["retain_extractable"], _ = recitation(
                self._policy, self._retained, task.prefix_tokens, task.eos_token_ids
            )
        self._refuse_not_finite(record)
        self.stopped = self._reason_to_stop(number, record)
        now = time.monotonic()
        record["seconds"], self._clock = now - self._clock, now

        self._policy.on_main(lambda: self._log.append(record, self._last_save()))
        self.records.append(record)
        if self._policy.rank == 0 and self._show is not None:
            self._show(record)
        self._unsaved = number, state
        pressed = self._is_pressed()
        if pressed or number % self._save_every == 0:  # at the end `__exit__` does
            self._save(number, state)
        if pressed and not self.stopped:
            raise KeyboardInterrupt
        return not self.stopped

    def _is_pressed(self) -> bool:
        """Whether Ctrl-C was pressed for any of the processes."""
        return bool(self._policy.total(torch.tensor(float(self._ctrl_c.pressed))))

    def _reason_to_stop(self, number: int, record: Mapping[str, Any]) -> str:
        if self._stop == "extractable" and record["forget_extractable"] == 0:
            return f"no forget row is extractable any more, after {number} iterations"
        if self._stop == "forgotten" and (reason := self._is_forgotten(number, record["forget_accuracy"])):
            return reason
        return f"all {number} iterations done" if number >= self._iterations else ""

    def _is_forgotten(self, number: int, accuracy: float) -> str:
        task = self._task
        if self._unseen is None:
            self._unseen = list(
                forgetting(self._policy, task.unseen, task.prefix_tokens, task.eos_token_ids, original=True)
            )
        if not accuracy <= self._unseen[1]:
            return ""  # EL_10 costs many times what MA does
        likelihood, _ = forgetting(self._policy, task.forget, task.prefix_tokens, task.eos_token_ids)
        if not likelihood <= self._unseen[0]:
            return ""
        return (
            f"EL_{EL_N} {likelihood:.3f} and MA {accuracy:.3f} of the forget rows are no higher than on unseen text "
            f"({self._unseen[0]:.3f} and {self._unseen[1]:.3f}), after {number} iterations"
        )

    def _refuse_not_finite(self, record: Mapping[str, Any]) -> None:
        bad = [name for name, value in record.items() if not math.isfinite(value)]
        if not self._policy.total(torch.tensor(float(len(bad)))):
            return
        found = f"{bad[0]} is {record[bad[0]]}" if bad else "a figure of another process is not a finite number"
        raise _NotFiniteError(self._not_finite(found, record["iteration"]))

    def _not_finite(self, found: str, number: int) -> str:
        kept = self._last_save() or "No state had been saved; the model it started from is as it was."
        return f"{found} in iteration {number}, and training stopped. {kept} Try a smaller --learning-rate."

    def _last_save(self) -> str:
        last = saves.latest(self._state)
        return (
            f"The last good checkpoint, after iteration {last}, stays in {self._state / f'{last:06d}'}." if last else ""
        )

    def _save(self, number: int, state: Callable[[], State]) -> None:
        policy = self._policy
        random = {"cpu": policy.processes.gather(torch.get_rng_state())}
        if policy.device.type == "cuda":
            random["cuda"] = policy.processes.gather(torch.cuda.get_rng_state(policy.device))
        counters = {"stopped": self.stopped, "unseen": self._unseen}
        saved = saves.Saved(number, policy.weights(), state(), random, counters)
        policy.on_main(lambda: saves.save(self._state, saved))
        self._unsaved = None


class _NotFiniteError(NonFiniteError):
    """Already says which iteration it was and what is left."""
