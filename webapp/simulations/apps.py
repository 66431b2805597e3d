from django.apps import AppConfig


class SimulationsConfig(AppConfig):
    name = "webapp.simulations"
    label = "simulations"
