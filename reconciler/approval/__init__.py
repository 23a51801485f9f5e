"""Whether a commit was approved: the policy, the evidence, and where evidence comes from."""
