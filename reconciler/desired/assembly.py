"""Builds the model from files in which nothing is wrong. Checks nothing."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter

from reconciler.desired.approval_manifests import ApprovalsManifest
from reconciler.desired.approvals import NO_APPROVALS, ApprovalPolicy, Person
from reconciler.desired.catalog import Package
from reconciler.desired.collection import Manifests
from reconciler.desired.environment_rules import links_of
from reconciler.desired.fields import end_of_hold, seconds_of, share_of
from reconciler.desired.layout import Place, tenant_of
from reconciler.desired.manifests import EnvironmentManifest, HoldManifest, HostManifest
from reconciler.desired.model import ABSENT, ABSENT_TEXT, DesiredState, Environment, Host, Override, Tenant, Wanted
from reconciler.desired.notification_manifests import NotificationsManifest
from reconciler.desired.notifications import Channel, ChannelKind, Notifications, Subscription, Topic
from reconciler.desired.package_assembly import package_of
from reconciler.kernel.assignment import Hold


def assemble(
    manifests: Manifests,
    revision: str,
    packages: Mapping[str, Package] | None = None,
    hosts: Mapping[str, Host] | None = None,
) -> DesiredState:
    """Return the desired state that valid files describe, everything in the order of names.

    Args:
        manifests: the files, all of them valid.
        revision: the id of the commit they come from.
        packages: what the catalog files come to, where that is known.
        hosts: the hosts by name and in its order, where that is known.
    """
    packages = packages or {
        name: package_of(name, file.manifest)
        for name, file in sorted(manifests.packages.items())
        if file.manifest is not None
    }
    promotions = links_of(manifests, "promotesFrom", "promotes_from")
    inheritance = links_of(manifests, "inherits", "inherits")
    environments = {
        name: _environment(name, file.manifest, promotions.get(name), inheritance.get(name))
        for name, file in sorted(manifests.environments.items())
        if file.manifest is not None
    }
    tenants = {
        name: Tenant(
            name, file.manifest.title or "", tuple(file.manifest.owners), _approvals(file.manifest.approvals)
        )
        for name, file in sorted(manifests.tenants.items())
        if file.manifest is not None
    }
    settings = manifests.settings.manifest if manifests.settings is not None else None
    assert settings is not None
    return DesiredState(
        revision,
        packages,
        environments,
        hosts or {host.name: host for host in sorted(manifests.all_hosts(), key=attrgetter("name"))},
        tenants,
        {name: tuple(members) for name, members in sorted(settings.groups.items())},
        share_of(settings.removals.share),
        _notifications(settings.notifications),
        {
            name: Person(name, tuple(person.known_as), tuple(person.keys), tuple(person.account_ids))
            for name, person in sorted(settings.people.items())
        },
        _approvals(settings.approvals) or NO_APPROVALS,
        settings.emergency.group if settings.emergency is not None else "",
    )


def host_of(place: Place, manifest: HostManifest) -> Host:
    """Return the host that a valid file describes.

    Args:
        place: where the file lies.
        manifest: what it says.
    """
    return Host(
        place.name,
        place.environment,
        manifest.labels,
        _wanted(manifest.packages),
        _hold(manifest.hold),
        manifest.address or "",
        manifest.winrm.grant if manifest.winrm is not None else None,
    )


def _approvals(manifest: ApprovalsManifest | None) -> ApprovalPolicy | None:
    if manifest is None:
        return None
    return ApprovalPolicy(
        manifest.required,
        tuple(manifest.from_),
        manifest.voided_by_push,
        tuple(manifest.checks),
        manifest.signed,
        tuple((check, tuple(names)) for check, names in sorted(manifest.reporters.items())),
    )


def _notifications(manifest: NotificationsManifest) -> Notifications:
    channels = {
        name: Channel(
            name,
            ChannelKind(channel.kind),
            channel.grant,
            seconds_of(channel.gather),
            channel.most_per_hour,
            tuple(channel.authors),
        )
        for name, channel in sorted(manifest.channels.items())
    }
    subscriptions = tuple(
        Subscription(
            item.channel,
            frozenset(map(Topic, item.of)) if item.of is not None else frozenset(Topic),
            _names(item.environments),
            _names(item.packages),
            _names(item.groups),
        )
        for item in manifest.tell
    )
    return Notifications(channels, subscriptions, seconds_of(manifest.remind))


def _names(names: list[str] | None) -> frozenset[str] | None:
    return frozenset(names) if names is not None else None


def _wanted(versions: Mapping[str, str]) -> Mapping[str, Wanted]:
    if ABSENT_TEXT not in versions.values():
        return versions
    return {package: ABSENT if version == ABSENT_TEXT else version for package, version in versions.items()}


def _hold(manifest: HoldManifest | None) -> Hold | None:
    if manifest is None:
        return None
    return Hold(manifest.reason, end_of_hold(manifest.until) if manifest.until is not None else None)


def _environment(
    name: str, manifest: EnvironmentManifest, promotes_from: str | None, inherits: str | None
) -> Environment:
    return Environment(
        name,
        promotes_from,
        _wanted(manifest.packages),
        inherits,
        tuple(Override(override.hosts, _wanted(override.packages)) for override in manifest.overrides),
        tuple(manifest.owners),
        manifest.prune,
        tuple(manifest.confirm),
        _hold(manifest.hold),
        tenant_of(name),
        manifest.halt_after,
        seconds_of(manifest.soak) if manifest.soak is not None else 0.0,
        _approvals(manifest.approvals),
    )
