"""Digital phantoms: seeded low-energy and recombined pairs with known lesions, made from attenuation physics."""

from simulation.phantom.lesion_plan import LesionPlan, PlannedLesion
from simulation.phantom.patient import PhantomLesion, PhantomView, phantom_patient
from simulation.phantom.phantom_set import DEFAULT_MIX, write_phantom_set

__all__ = [
    "DEFAULT_MIX",
    "LesionPlan",
    "PhantomLesion",
    "PhantomView",
    "PlannedLesion",
    "phantom_patient",
    "write_phantom_set",
]
