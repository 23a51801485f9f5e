"""Forges, an adapter each: they report what a forge knows, judge nothing, and do not know each other."""
