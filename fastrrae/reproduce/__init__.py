"""The tables of the VRRAE paper again: what they consist of, and how they are made, run by run."""
