"""What stands where in each view's picture. Pure arithmetic."""
