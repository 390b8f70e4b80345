"""Curves of a training, with matplotlib where it is installed."""


def plot(result, axes=None):
    """See FitResult.plot."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("plot: matplotlib is not installed; pip install matplotlib") from error
    if axes is None:
        axes = plt.subplots()[1]
    history = result.history
    number = range(1, len(history) + 1) if any(e.restart for e in history) else [e.epoch for e in history]
    axes.plot(number, [e.loss for e in history], label="loss")
    if any(e.validation_loss is not None for e in history):
        axes.plot(number, [e.validation_loss for e in history], label="validation loss")
    if all(e.loss > 0 for e in history) and history:
        axes.set_yscale("log")
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss")
    axes.set_title(str(result.explanation))
    handles, labels = axes.get_legend_handles_labels()
    if result.metrics:
        other = axes.twinx()
        other.set_ylabel("metric")
        for i, name in enumerate(result.metrics):
            other.plot(number, [e.metrics[i] for e in history], linestyle="--", color=f"C{i + 2}", label=name)
        more = other.get_legend_handles_labels()
        handles, labels = handles + more[0], labels + more[1]
    axes.legend(handles, labels)
    return axes
