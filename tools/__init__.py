"""Commands for developers and operators: each subpackage implements one or more targets of the Makefile."""
