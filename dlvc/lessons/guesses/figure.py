"""A learner's guesses beside what came out: on a line of its own, in another figure, or all of them together."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from dlvc.lessons.guesses.store import SURE, Prediction, guess_calibration
from dlvc.plots import GREEN, PURPLE, VERMILLION, Picture, new_picture, set_description, styled

GUESS = "your guess"


@styled
def guess_and_result(prediction: Prediction) -> Picture | None:
    """A resolved guess and its outcome in one line; None, so nothing to show, for one that is not resolved."""
    if not prediction.resolved:
        return None
    measured = value_in_words(prediction.measured, prediction.unit)
    said = guess_in_words(prediction)
    verdict = "right" if prediction.right else "not this time"
    picture = new_picture(8, 1.5 if not prediction.choices else 1.3)
    axes = picture.subplots()
    axes.spines[:].set_visible(False)
    axes.set_yticks([])
    axes.grid(visible=False)
    if prediction.choices:
        marks = {prediction.guess: f"{GUESS} ({prediction.confidence:.0%} sure)"}
        marks[prediction.measured] = (
            f"{marks[prediction.measured]} and result" if prediction.right else "result"
        )
        axes.set(xlim=(-0.5, len(prediction.choices) - 0.5), ylim=(-1, 1))
        axes.set_xticks(range(len(prediction.choices)), prediction.choices)
        for choice, text in marks.items():
            place = prediction.choices.index(choice)
            color, marker = (GREEN, "D") if choice == prediction.measured else (PURPLE, "o")
            axes.plot(place, -0.5, marker, color=color, markersize=9)
            # At two heights: neighbours would run into each other.
            height = 0.05 if choice == prediction.measured else 0.6
            axes.text(place, height, text, ha="center")
    else:
        _draw_range(axes, prediction)
    says = f"{prediction.question} You said {said}; the result is {measured}: {verdict}."
    return set_description(picture, says)


def _draw_range(axes: Axes, prediction: Prediction) -> None:
    low, high = prediction.guess
    ends = min(low, prediction.measured), max(high, prediction.measured)
    room = 0.15 * (ends[1] - ends[0]) or 1
    axes.set(xlim=(ends[0] - room, ends[1] + room), ylim=(-1, 1), xlabel=prediction.unit)
    axes.axvspan(low, high, facecolor=PURPLE, alpha=0.25, hatch="//", edgecolor=PURPLE)
    axes.text((low + high) / 2, 0.45, GUESS, ha="center")
    axes.plot(prediction.measured, -0.35, "D", color=GREEN, markersize=9)
    axes.annotate("result", (prediction.measured, -0.35), (8, -4), textcoords="offset points")


@styled
def mark_guess(picture: Picture, prediction: Prediction, *, axis: str, label: str = "") -> Picture:
    """The same picture with the guess in its first axes; unchanged without a guess.

    A range becomes a band along `axis`, "x" or "y", with its name; a choice a sign at the tick that begins with
    `label`, or with the choice itself. Raises ValueError if no tick does.
    """
    if prediction.guess is None:
        return picture
    axes = picture.axes[0]
    if prediction.choices:
        ruler = axes.xaxis if axis == "x" else axes.yaxis
        texts = [tick.get_text() for tick in ruler.get_ticklabels()]
        wanted = label or prediction.guess
        if not any(text.startswith(wanted) for text in texts):
            raise ValueError(
                f"no tick of {axis} begins with {wanted!r}; they are {', '.join(texts)}."
            )
        sign = (
            "\n\N{BLACK UP-POINTING TRIANGLE} guess"
            if axis == "x"
            else f" \N{BLACK RIGHT-POINTING TRIANGLE} {GUESS}"
        )
        marked = [text + sign if text.startswith(wanted) else text for text in texts]
        ruler.set_ticks(ruler.get_ticklocs(), marked)
    else:
        look = {"facecolor": PURPLE, "alpha": 0.2, "hatch": "//", "edgecolor": PURPLE, "zorder": 0}
        text = {"s": f"{GUESS}: {prediction.name}", "fontsize": 9, "va": "bottom"}
        low, high = prediction.guess
        if axis == "x":
            axes.axvspan(low, high, **look, label=GUESS)
            axes.text(low, 1.0, **text, transform=axes.get_xaxis_transform())
        else:
            axes.axhspan(low, high, **look, label=GUESS)
            axes.text(1.0, low, **text, transform=axes.get_yaxis_transform(), ha="right")
    return set_description(
        picture, f"{picture.description} {GUESS.capitalize()}: {guess_in_words(prediction)}."
    )


@styled
def calibration_figure(predictions: Sequence[Prediction]) -> Picture | None:
    """Every resolved guess as right or not, and the share that is right beside what was stated; None without any."""
    kinds = {"ranges": False, "choices": True}
    results = {name: guess_calibration(predictions, choices=flag) for name, flag in kinds.items()}
    results = {name: result for name, result in results.items() if result}
    if not results:
        return None
    picture = new_picture(8, 1.5 + 0.75 * len(results), title="How good were your guesses?")
    axes = picture.subplots()
    sentences = []
    for place, (name, result) in enumerate(results.items()):
        share, (low, high) = result.right / result.count, result.interval
        errors = [[share - low], [high - share]]
        axes.errorbar(
            share, place, xerr=errors, fmt="o", color=GREEN, capsize=4, label="right" * (not place)
        )
        axes.plot(
            result.stated, place, "D", color=VERMILLION, markersize=8, label="stated" * (not place)
        )
        sentences.append(
            f"{result.right} of {result.count} {name} were right ({share:.0%}, interval {low:.0%} to {high:.0%}), "
            f"{result.stated:.0%} should be: {result.verdict}; Brier score {result.brier:.2f}."
        )
    labels = [f"{name} ({result.count})" for name, result in results.items()]
    axes.set_yticks(range(len(results)), labels)
    axes.set(xlim=(0, 1.02), ylim=(len(results) - 0.4, -0.6), xlabel="share of the guesses")
    axes.grid(visible=False, axis="y")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return set_description(picture, " ".join(sentences))


def guess_in_words(prediction: Prediction) -> str:
    """The guess as one says it: a range with its unit, or a choice with how sure one is."""
    if prediction.choices:
        return f"{prediction.guess}, {prediction.confidence:.0%} sure"
    low, high = prediction.guess
    return f"{value_in_words(low)} to {value_in_words(high, prediction.unit)}, {SURE:.0%} sure"


def value_in_words(value: float | str, unit: str = "") -> str:
    """An outcome with its unit: a number with at most six digits, or a choice."""
    text = value if isinstance(value, str) else f"{value:,.6g}"
    return f"{text} {unit}".strip()
