"""What developers and operators run: each subpackage is one command of the Makefile, or several."""
