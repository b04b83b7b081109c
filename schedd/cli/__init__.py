"""What a person types: one module for each family of commands."""
