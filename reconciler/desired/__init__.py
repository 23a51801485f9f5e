"""From git to desired state: reads a commit, checks everything in it at once, and says what each host should have.

Decides nothing about when or how a host gets there. Where it writes to a repository, it adds a commit to a branch.
"""
