"""What a promotion is made of: its basis, the evidence for it, the choice of versions, and its branch."""
