"""The git hosts that a repository can be made for, and where each looks for its files."""

from __future__ import annotations

from enum import StrEnum


class Forge(StrEnum):
    """Where pull requests are made; it decides on the CI file."""

    GITHUB = "github"
    GITLAB = "gitlab"
    AZURE = "azure"


CI_FILES = {
    Forge.GITHUB: ".github/workflows/reconciler.yml",
    Forge.GITLAB: ".gitlab-ci.yml",
    Forge.AZURE: "azure-pipelines.yml",
}
"""The CI file of each forge, by its path within the repository."""

CODEOWNERS = {
    Forge.GITHUB: (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"),
    Forge.GITLAB: ("CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"),
    Forge.AZURE: (),
}
"""Where each forge looks, in its order: the first that is there counts. Azure Repos has no such file."""
