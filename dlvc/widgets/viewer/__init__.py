"""The attention viewer."""
