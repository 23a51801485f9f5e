"""What is worth telling, whom, when, and in which words. All of it is pure but `sending`, which sends."""
