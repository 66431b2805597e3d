"""Where a cluster lies in its breast, so that the second view can agree with the first."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from imaging.pair import Laterality, ViewPosition
from simulation.cluster_form import ClusterForm
from simulation.cluster_plan import ClusterPlan
from simulation.enhancement import ContrastForm
from simulation.errors import InvalidSettings

SCHEMA = "cemlab.placement/2"


@dataclass(frozen=True)
class Placement:
    """Place and properties of a cluster, independent of the view.

    Attributes
    ----------
    laterality : {"L", "R"}
    view_position : {"CC", "MLO"}
        The view in which it was placed.
    nipple_distance_mm : float
        Cluster centre to nipple; both views of a lesion show about the same.
    relative_position : float
        Offset along the chest wall from the nipple as a share of the breast depth, positive downwards in the picture.
    plan : ClusterPlan
    form : ClusterForm
        The calcifications in three dimensions, which every view projects.
    contrast : float
        Contrast in the recombined image.
    packing : float
        Attenuation as a share of solid hydroxyapatite.
    contrast_form : {"ratio", "cnr", "iodine"}
        What `contrast` is.
    rim : bool
        Whether the border of the lesion enhances more than its centre.
    """

    laterality: Laterality
    view_position: ViewPosition
    nipple_distance_mm: float
    relative_position: float
    plan: ClusterPlan
    form: ClusterForm
    contrast: float
    packing: float
    contrast_form: ContrastForm = "ratio"
    rim: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values with the schema name."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"schema": SCHEMA, **plain, "plan": asdict(self.plan), "form": self.form.to_json()}

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> Placement:
        """Read what `to_json` wrote.

        Raises
        ------
        InvalidSettings
            If the schema is another one or a field is missing.
        """
        values: dict[str, Any] = {"contrast_form": "ratio", "rim": False, **body}
        schema = values.pop("schema", None)
        if schema != SCHEMA:
            raise InvalidSettings(
                f"placement has schema {schema!r}; expected {SCHEMA}, which holds the cluster in three dimensions. "
                "Make the first view of the lesion again"
            )
        missing = {field.name for field in fields(cls)} ^ set(values)
        if missing:
            raise InvalidSettings(f"placement: missing or unknown fields: {', '.join(sorted(missing))}")
        values["plan"] = ClusterPlan(**values["plan"])
        values["form"] = ClusterForm.from_json(values["form"])
        return cls(**values)


def locate(x: float, y: float, nipple: tuple[float, float], depth_px: float, spacing_mm: float) -> tuple[float, float]:
    """(nipple distance in mm, relative position) of a point in continuous pixels, chest wall on the left."""
    distance = float(np.hypot(x - nipple[0], y - nipple[1])) * spacing_mm
    return distance, (y - nipple[1]) / depth_px
