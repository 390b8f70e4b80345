"""The line that fit shows while it runs: rewritten in place in a terminal, a display in a notebook."""

import sys as _sys
import time as _time


def _in_notebook():
    shell = _sys.modules.get("IPython")
    return shell is not None and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell"


def _seconds(s):
    s = max(0, s)
    if s < 60:
        return f"{s:.0f} s"
    return f"{s // 60:.0f} min {s % 60:02.0f} s" if s < 3600 else f"{s // 3600:.0f} h {s % 3600 // 60:02.0f} min"


class Bar:
    """Puts itself between fit and the caller's callbacks."""

    def __init__(self, options):
        self._epochs = options["max_epochs"]
        self._metrics = [m if isinstance(m, str) else getattr(m, "name", getattr(m, "__name__", "metric"))
                         for m in ([options["metrics"]] if isinstance(options["metrics"], str) else options["metrics"])]
        self._on_epoch, self._on_progress = options["on_epoch"], options["on_progress"]
        options["on_epoch"], options["on_progress"] = self._epoch, self._progress
        self._last, self._text, self._width, self._display = "", "", 0, None
        self._shown = 0.0
        self._notebook = _in_notebook()
        self._live = self._notebook or _sys.stderr.isatty()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if error[0] is not None:
            self._end()

    def _line(self, epoch, examples, total, loss, seconds):
        done = (epoch - 1 + examples / max(total, 1)) / self._epochs
        filled = int(20 * min(done, 1.0))
        text = f"{'█' * filled}{'░' * (20 - filled)} epoch {epoch}/{self._epochs}  loss {loss:.4g}{self._last}"
        if seconds > 0 and done > 0:
            rate = ((epoch - 1) * total + examples) / seconds
            text += f"  {rate:,.0f} examples/s  {_seconds(seconds * (1 - done) / done)} left"
        return text

    def _progress(self, progress):
        self._show(self._line(progress.epoch, progress.examples, progress.total, progress.loss, progress.seconds))
        return self._on_progress(progress) if self._on_progress else None

    def _epoch(self, epoch):
        parts = [] if epoch.validation_loss is None else [f"validation {epoch.validation_loss:.4g}"]
        parts += [f"{name} {value:.4g}" for name, value in zip(self._metrics, epoch.metrics)]
        self._last = "".join("  " + part for part in parts)
        if not self._live:
            pass
        elif _time.monotonic() - self._shown > 0.1:
            self._show(self._line(epoch.epoch, 1, 1, epoch.loss, epoch.seconds))
        return self._on_epoch(epoch) if self._on_epoch else None

    def _show(self, text):
        self._shown = _time.monotonic()
        self._text = text
        if self._notebook:
            from IPython.display import display

            content = {"text/plain": text}
            if self._display is None:
                self._display = display(content, raw=True, display_id=True)
            else:
                self._display.update(content, raw=True)
        elif self._live:
            _sys.stderr.write("\r" + text.ljust(self._width))
            _sys.stderr.flush()
            self._width = len(text)

    def _end(self):
        if self._live and not self._notebook and self._width:
            _sys.stderr.write("\n")
            _sys.stderr.flush()

    def finish(self, result):
        """The last line says how it ended; without a terminal it is the only one."""
        self._show(str(result))
        if not self._live:
            _sys.stderr.write(str(result) + "\n")
        self._end()
