"""People, projects and who may do what in them."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower


class User(AbstractUser):
    """A person with an account."""

    class Meta:
        constraints = [models.UniqueConstraint(Lower("username"), name="username_unique_any_case")]


class Role(models.TextChoices):
    """What a person is in a project."""

    OBSERVER = "observer", "Observer"
    RADIOLOGIST = "radiologist", "Radiologist"
    CURATOR = "curator", "Curator"
    RESEARCHER = "researcher", "Researcher"
    ADMIN = "admin", "Admin"


class Project(models.Model):
    """A team's work: the tenant every other record belongs to."""

    slug = models.SlugField(
        max_length=60,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9-]*$", "Use small letters, digits and hyphens.")],
    )
    name = models.CharField(max_length=100)
    question = models.CharField(max_length=300, blank=True, help_text="What the project wants to find out.")
    created = models.DateTimeField(auto_now_add=True)
    members = models.ManyToManyField(User, through="Membership", related_name="projects")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person's role in a project."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="membership_once"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} in {self.project}"


class SignInAttempt(models.Model):
    """Failed sign-ins, so that guessing passwords waits."""

    key = models.CharField(max_length=64, unique=True, help_text="Hash of the name tried.")
    failures = models.PositiveIntegerField(default=0)
    last = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.failures} failures"
