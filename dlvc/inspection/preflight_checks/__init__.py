"""What is wrong, or not, with a model and the data that it is about to learn from."""

from dlvc.inspection.preflight_checks.preflight import preflight

__all__ = ["preflight"]
