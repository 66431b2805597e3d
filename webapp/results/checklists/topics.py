"""Topics of CLAIM, METRICS and TRIPOD+AI that an experiment touches, with the item numbers that are certain.

CLAIM: numbering of 2020; the revision of 2024 numbers otherwise. METRICS: items 1 to 23 with their weights. Items of
TRIPOD+AI and the later items of METRICS are not printed: they are to be verified.
"""

from __future__ import annotations

from dataclasses import dataclass

TO_VERIFY = "topic is part of it; item number to be verified"
CHECKLISTS = {
    "claim": "CLAIM, numbering of 2020",
    "metrics": "METRICS, item (weight)",
    "tripod": "TRIPOD+AI",
}


@dataclass(frozen=True)
class Topic:
    """A topic and where the checklists ask for it.

    Attributes
    ----------
    key, words : str
    claim, metrics, tripod : str
        Items, `TO_VERIFY`, or empty where the checklist does not ask for it.
    asks : str
        What the authors write.
    """

    key: str
    words: str
    claim: str
    metrics: str
    tripod: str
    asks: str

    @property
    def items(self) -> dict[str, str]:
        """Items by checklist, without those that do not ask for the topic."""
        found = {"claim": self.claim, "metrics": self.metrics, "tripod": self.tripod}
        return {name: items for name, items in found.items() if items}


TOPICS = {
    topic.key: topic
    for topic in (
        Topic("split", "Split table, level of disjointness, leakage report", "20, 21", "18 (0.0599)", TO_VERIFY,
              "Anything about the split that the records do not say."),
        Topic("flow", "Flow of counts, exclusions", "8, 33", "2 (0.0735)", TO_VERIFY,
              "Why exams were not chosen for the dataset, with counts."),
        Topic("demographics", "Demographics per partition", "34", "19 (0.0300)", TO_VERIFY,
              "Characteristics that are not recorded, such as symptoms and ethnicity; tests if any."),
        Topic("reference", "Reference standard, annotators, their variability", "14, 15, 16, 17, 18",
              "3 (0.0919), 10 (0.0112)", TO_VERIFY,
              "Qualification of the annotators, how disagreement was settled, and agreement between them."),
        Topic("scanners", "Scanners, sites, imaging protocol", "7", "4 (0.0438), 6 (0.0438)", TO_VERIFY,
              "Contrast agent, dose and timing, exposure, years of acquisition."),
        Topic("sample-size", "Sample size", "19", "16 (0.0300)", TO_VERIFY,
              "How the number of patients was decided."),
        Topic("performance", "Metrics, intervals, tests", "28, 29, 36", "20 (0.0352), 21 (0.0234)", TO_VERIFY,
              "Why these measures answer the question."),
        Topic("calibration", "Calibration, decision curve", "28", "22 (0.0176)", TO_VERIFY,
              "What the calibration means for the intended use."),
        Topic("segmentation", "Evaluation of outlines", "28", "9 (0.0225)", "",
              "What overlap is enough for the intended use."),
        Topic("subgroups", "Robustness, subgroups, fairness", "30", "17 (0.0200)", TO_VERIFY,
              "Groups that matter and are not recorded."),
        Topic("external", "Internal and external test", "32, 35", TO_VERIFY, TO_VERIFY,
              "How the external site differs, and what that means for others."),
        Topic("failures", "Failure analysis", "37", "", "",
              "What the misses have in common."),
        Topic("model", "Model selection, source of the threshold, software", "23, 25, 26", TO_VERIFY, TO_VERIFY,
              "Where code and weights can be had."),
        Topic("intended-use", "Intended use", "", "", "", "For whom, at which point of care, by whom it is read."),
        Topic("eligibility", "Rationale of eligibility", "", "", "", "Why these patients and exams."),
        Topic("ethics", "Ethics", "", "", "", "Approval, consent or waiver, with reference."),
        Topic("funding", "Funding and interests", "", "", "", "Who paid, and interests of the authors."),
        Topic("limits", "Limitations", "", "", "", "What the authors see, beyond those listed by the report."),
    )
}  # fmt: skip
"""In the order of page and report; the last five are for the authors alone."""
