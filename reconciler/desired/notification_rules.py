"""Checks who is told of what against the rest of the desired state: names that must exist. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from reconciler.desired.collection import Manifests
from reconciler.desired.findings import Location, Problem, Rule
from reconciler.desired.suggestions import Suggester

_LIST = ("notifications", "tell")


def check_notifications(manifests: Manifests, suggester: Suggester) -> Iterator[Problem]:
    """Yield what is wrong with the channels and subscriptions; nothing where reconciler.yaml is not valid."""
    settings = manifests.settings
    if settings is None or settings.manifest is None:
        return
    manifest = settings.manifest.notifications
    for name, channel in manifest.channels.items():
        if channel.authors and channel.kind != "mail":
            message = f"authors can be reached by mail only, and {name} is of the kind {channel.kind}"
            location: Location = ("notifications", "channels", name, "authors")
            hint = "move authors to a channel of the kind mail"
            yield Problem(settings.path, Rule.INVALID_VALUE, message, hint, location, on_key=True)
    known: Mapping[str, tuple[Rule, Iterable[str]]] = {
        "environment": (Rule.UNKNOWN_ENVIRONMENT, manifests.environments),
        "package": (Rule.UNKNOWN_PACKAGE, manifests.packages),
        "group": (Rule.UNKNOWN_GROUP, settings.manifest.groups),
        "channel": (Rule.UNKNOWN_CHANNEL, manifest.channels),
    }
    for index, item in enumerate(manifest.tell):
        named: list[tuple[str, str, Location]] = [("channel", item.channel, (*_LIST, index, "channel"))]
        for kind in ("environment", "package", "group"):
            for place, name in enumerate(getattr(item, f"{kind}s") or ()):
                named.append((kind, name, (*_LIST, index, f"{kind}s", place)))
        for kind, name, location in named:
            rule, names = known[kind]
            names = sorted(names)
            if name not in names:
                otherwise = f"{kind}s: {', '.join(names[:20])}" if names else f"there is no {kind} yet"
                hint = suggester.hint(kind, name, names, otherwise)
                yield Problem(settings.path, rule, f"there is no {kind} {name!r}", hint, location)
