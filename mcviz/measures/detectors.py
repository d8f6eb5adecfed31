"""The detectors that are compared over a run: each gives an example an OOD score, high for out of distribution."""

from dataclasses import dataclass

from mcviz.measures.registry import SCORES


@dataclass(frozen=True)
class Detector:
    """A detector.

    Attributes:
        label: its name for people.
        drawn: whether it is among the few that a chart shows.
        short: the name where there is little room; the label without one.
    """

    label: str
    drawn: bool = False
    short: str = ""


VERDICT, UNEXPLAINED, CONTENT = "verdict", "unexplained_share", "content_alone"
CONFIDENCE = "deterministic_max_probability"
NEIGHBOURS, NEIGHBOURS_OF_LAST = "neighbours", "neighbours_of_last_layer"

DETECTORS: dict[str, Detector] = {
    VERDICT: Detector("Verdict", drawn=True),
    UNEXPLAINED: Detector("Unexplained share", drawn=True),
    NEIGHBOURS: Detector("Ten neighbours", drawn=True),
    NEIGHBOURS_OF_LAST: Detector("Ten neighbours, last layer"),
    **{
        name: Detector(score.label, drawn=name == "max_probability")
        for name, score in SCORES.items()
        if score.needs == ("probs",)
    },
    CONFIDENCE: Detector("Max probability, dropout off", drawn=True, short="Dropout off"),
    "deterministic_entropy": Detector("Entropy, dropout off"),
    CONTENT: Detector("No network", drawn=True),
}
