"""The screen and the command line. Imports neither numpy nor torch before the first frame."""
