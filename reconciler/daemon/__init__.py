"""The daemon: the one composition root of the server. It wires engine, inbox and operations together."""
