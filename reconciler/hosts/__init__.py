"""Reaches hosts: takes in what their agents say, and gives out assignments and artifacts."""
