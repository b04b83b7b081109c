"""From a script to the command line that runs it, one module for each family of languages."""
