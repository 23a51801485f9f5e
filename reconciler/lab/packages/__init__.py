"""Example MSI packages of ours, built by wixl from the sources beside this file."""

from reconciler.lab.packages.build import build
from reconciler.lab.packages.declarations import SOURCES, BuiltPackage, PackageSource, plain_package
from reconciler.lab.packages.examples import EXAMPLES, build_examples

__all__ = ["EXAMPLES", "SOURCES", "BuiltPackage", "PackageSource", "build", "build_examples", "plain_package"]
