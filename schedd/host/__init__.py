"""The machine: its clock, its service manager, its journal."""
